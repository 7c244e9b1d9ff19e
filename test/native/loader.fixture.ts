/** @module Opens engines one after another, with options from arguments in JSON, and prints each outcome. */
import { MillraceError, openEngine } from '../../native/index.ts';

for (const options of process.argv.slice(2)) {
  try {
    const engine = openEngine(JSON.parse(options));
    await engine.close();
    console.log(JSON.stringify({ version: engine.info.onnxRuntimeVersion }));
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    console.log(JSON.stringify({ code: error.code, message: error.message }));
  }
}
