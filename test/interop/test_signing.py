"""Signs and verifies models with the command of OpenSSF model-signing on one side and `millrace` on the other."""

import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from server import TOP

# The command itself, without the seconds that its start takes each time.
(PYTHON,) = entry_points(group="console_scripts", name="model_signing")
MILLRACE = ["node", str(TOP / "services/cli/millrace.mjs"), "models"]


class Place:
    """A model, a pair of keys and a signature in a folder."""

    def __init__(self, folder: Path, curve: ec.EllipticCurve):
        self.model = folder / "model"
        (self.model / "weights").mkdir(parents=True)
        (self.model / "model.onnx").write_bytes(b"graph")
        # Python sorts the first two in this order and JavaScript in the other.
        (self.model / "weights/part.bin").write_bytes(b"a")
        (self.model / "weights.bin").write_bytes(b"b")
        (self.model / "Ünï.txt").write_bytes(b"")
        (self.model / ".gitignore").write_bytes(b"*.bin")
        private = ec.generate_private_key(curve)
        self.private, self.public = folder / "private.pem", folder / "public.pem"
        self.private.write_bytes(
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.public.write_bytes(
            private.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        # Both commands take the signature in the folder for no part of the model.
        self.signature = self.model / "model.sig"

    def _python(self, *arguments: str) -> int:
        done = CliRunner().invoke(PYTHON.load(), [*arguments, "--signature", str(self.signature)])
        print(done.output)
        return done.exit_code

    def _millrace(self, *arguments: str) -> int:
        command = [*MILLRACE, *arguments, "--signature", str(self.signature)]
        done = subprocess.run(command, capture_output=True, text=True)
        print(done.stdout, done.stderr)
        return done.returncode

    def sign(self, by: str, model: Path) -> int:
        if by == "python":
            return self._python("sign", "key", str(model), "--private_key", str(self.private))
        return self._millrace("sign", "--model-path", str(model), "--key", str(self.private))

    def verify(self, by: str, model: Path) -> int:
        if by == "python":
            return self._python("verify", "key", str(model), "--public_key", str(self.public))
        return self._millrace("verify", "--model-path", str(model), "--key", str(self.public))


WAYS = [("python", "millrace"), ("millrace", "python")]


@pytest.mark.parametrize(("signer", "verifier"), WAYS)
@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_a_signed_folder_is_verified_by_the_other_side(tmp_path, curve, signer, verifier):
    place = Place(tmp_path, curve)
    assert place.sign(signer, place.model) == 0
    assert place.verify(verifier, place.model) == 0
    (place.model / "weights.bin").write_bytes(b"c")
    assert place.verify(verifier, place.model) == 1


@pytest.mark.parametrize(("signer", "verifier"), WAYS)
def test_a_signed_file_is_verified_by_the_other_side(tmp_path, signer, verifier):
    place = Place(tmp_path, ec.SECP384R1())
    file = place.model / "model.onnx"
    assert place.sign(signer, file) == 0
    assert place.verify(verifier, file) == 0
