"""Reads the metrics page with the Python library of Prometheus."""

from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families


def families(server):
    page = urlopen(f"http://{server.http}/metrics").read().decode()
    return {family.name: family for family in text_string_to_metric_families(page)}


def test_every_metric_has_a_type_and_a_help_text(server):
    found = families(server)
    assert {"http_requests", "millrace_model_requests", "process_cpu_seconds"} <= found.keys()
    for family in found.values():
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert len(family.documentation) > 10, family.name


def test_histograms_are_consistent(server, http):
    assert http.is_server_live()
    found = families(server)["http_request_duration_seconds"].samples
    by_series = {}
    for sample in found:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        by_series.setdefault(tuple(sorted(labels.items())), []).append(sample)
    assert by_series
    for labels, samples in by_series.items():
        assert dict(labels).keys() == {"method", "route", "service", "status"}
        buckets = [sample.value for sample in samples if sample.name.endswith("_bucket")]
        count = next(sample.value for sample in samples if sample.name.endswith("_count"))
        assert buckets == sorted(buckets)
        assert buckets[-1] == count > 0
