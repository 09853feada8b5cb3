"""Small whole programs: classes with parameters, limits, statistics, and a crawler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from minigun_py import Job, PlanWarning, To, after_run, before_run, consumer, processor, producer
from originals.kinds import in_every_kind, in_quick_kinds, pipeline

Item = dict[str, Any]


@in_quick_kinds
def test_a_publisher_reads_enriches_and_publishes_twenty_records(kind: str) -> None:
    """12_database_publisher."""

    class Publisher(Job):
        execution = kind
        max_threads = 5
        max_processes = 2

        def __init__(self, customers: int) -> None:
            self.customers = customers
            self.published: list[Item] = []
            self.events: list[str] = []

        @before_run
        def begin(self) -> None:
            self.events.append("begun")

        @after_run
        def end(self) -> None:
            self.events.append("ended")

        @producer
        def fetch_customers(self) -> Iterator[Item]:
            yield from ({"id": number + 1} for number in range(self.customers))

        @processor
        def enrich_data(self, customer: Item) -> Item:
            return customer | {"source": "database_publisher", "version": 1}

        @consumer
        def publish(self, customer: Item) -> None:
            self.published.append(customer)

    job = Publisher(20)
    report = job.run()
    assert sorted(customer["id"] for customer in job.published) == list(range(1, 21))
    assert all(
        (customer["source"], customer["version"]) == ("database_publisher", 1)
        for customer in job.published
    )
    assert report["fetch_customers"].emitted == 20
    assert report["enrich_data"].completed == 20
    assert job.events == ["begun", "ended"]


@in_quick_kinds
def test_a_configured_pipeline_filters_and_doubles(kind: str) -> None:
    """13_configuration: 18 results."""

    class Configured(Job):
        execution = kind
        max_threads = 10
        max_processes = 4

        def __init__(self) -> None:
            self.results: list[int] = []

        @producer
        def generate(self) -> Iterator[int]:
            yield from range(1, 21)

        @processor
        def validate(self, number: int) -> int | None:
            return None if number % 7 == 0 else number

        @processor
        def transform(self, number: int) -> int:
            return number * 2

        @consumer
        def collect(self, number: int) -> None:
            self.results.append(number)

    job = Configured()
    job.run()
    assert len(job.results) == 18
    assert sorted(job.results) == [n * 2 for n in range(1, 21) if n % 7]
    assert job.pipe.limits == {"max_threads": 10, "max_processes": 4}


@pytest.mark.parametrize(("kind", "limit"), [("thread", 10), ("fork", 4)])
def test_the_limits_of_a_class_bound_its_workers(kind: str, limit: int) -> None:
    """13_configuration: there the limits have no effect."""

    class Configured(Job):
        max_threads = 10
        max_processes = 4

        @processor(execution=kind, workers=12)
        def work(self, number: int) -> int:
            return number

    with pytest.warns(PlanWarning, match=f"'work' wants 12.*{limit}"):
        assert len(Configured().pipe.collect(range(30))) == 30
    assert Configured().pipe.plan().workers_for("work") == limit


@in_quick_kinds
def test_a_crawler_fetches_every_seed_once(kind: str) -> None:
    """10_web_crawler: two pages fetched and processed, links found."""
    pipe = pipeline(kind)
    pipe.source(["http://example.com", "http://test.com", "http://example.com"], name="seed_urls")
    pipe.deduplicate()

    @pipe.processor
    def fetch_page(url: str) -> Item:
        return {"url": url, "title": f"Page: {url}", "content": f"{url}/a {url}/b"}

    @pipe.processor
    def extract_links(page: Item) -> Item:
        return page | {"links": page["content"].split()}

    processed: list[Item] = []
    pipe.consumer(processed.append, name="process_page")
    report = pipe.run()
    assert report["fetch_page"].completed == len(processed) == 2
    assert sorted(page["url"] for page in processed) == ["http://example.com", "http://test.com"]
    assert all(page["title"] and len(page["links"]) == 2 for page in processed)


@in_every_kind
def test_a_crawler_follows_the_links_that_it_finds(kind: str) -> None:
    """10_web_crawler: the recursion that is a comment there, for want of cycles."""
    deepest = 3
    pipe = pipeline(kind)
    pipe.source([("root", 0)], name="seed_urls")

    pipe.deduplicate(key=lambda page: page[0], name="unseen")

    @pipe.processor(to="process_page", feedback=["unseen"])
    def fetch_page(page: tuple[str, int]) -> Iterator[Any]:
        name, depth = page
        yield name
        if depth < deepest:
            for link in (f"{name}/a", f"{name}/b", "root"):
                yield To("unseen", (link, depth + 1))

    processed: list[str] = []
    pipe.consumer(processed.append, name="process_page")
    report = pipe.run()
    assert len(processed) == len(set(processed)) == 1 + 2 + 4 + 8
    assert report["unseen"].received == 1 + 3 * (1 + 2 + 4)


@in_every_kind
def test_statistics_tell_of_every_stage_in_order(kind: str) -> None:
    """24_statistics_demo."""
    results: list[int] = []
    pipe = pipeline(kind)

    @pipe.producer
    def generate() -> Iterator[int]:
        yield from range(1, 21)

    @pipe.processor(to="collect")
    def process(number: int) -> int:
        return number * 2 if sum(range(300_000)) else 0  # longer than a busy machine stands still

    @pipe.consumer
    def collect(number: int) -> None:
        results.append(number)

    report = pipe.run()
    assert sorted(results) == [number * 2 for number in range(1, 21)]
    assert list(report.stages) == ["generate", "process", "collect"]
    assert (report["generate"].emitted, report["collect"].completed) == (20, 20)
    assert report.duration > 0
    assert report.bottleneck in (["generate"] if kind == "inline" else ["process", "collect"])
