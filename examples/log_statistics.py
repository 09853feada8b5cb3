"""Statistics per day: forked workers parse the files of a log, an accumulator adds them up."""

import tempfile
from collections import defaultdict
from pathlib import Path

from minigun_py import Job, accumulator, consumer, processor, producer

LOGS = {
    "web-1.log": "2024-05-01 GET 200\n2024-05-01 GET 500\n2024-05-02 POST 201\n",
    "web-2.log": "2024-05-02 GET 200\n2024-05-02 GET 404\n(restarted)\n2024-05-03 GET 200\n",
}


class LogStatistics(Job):
    def __init__(self, folder: Path):
        self.folder = folder

    @producer
    def files(self):
        yield from self.folder.glob("*.log")

    @processor(execution="fork", workers=2)
    def parse(self, file):
        for line in file.read_text().splitlines():
            match line.split():
                case day, _, status:
                    yield day, int(status)

    @accumulator
    def per_day(self, answers):
        days = defaultdict(list)
        for day, status in answers:
            days[day].append(status)
        yield from sorted(days.items())

    @consumer
    def show(self, of_day):
        day, statuses = of_day
        print(day, len(statuses), "answers,", sum(s >= 400 for s in statuses), "of them errors")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name, text in LOGS.items():
            Path(folder, name).write_text(text)
        LogStatistics(Path(folder)).run()

# 2024-05-01 2 answers, 1 of them errors
# 2024-05-02 3 answers, 1 of them errors
# 2024-05-03 1 answers, 0 of them errors
