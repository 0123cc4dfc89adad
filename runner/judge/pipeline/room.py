"""The system `pipeline` in the judge."""

from soak.runner.judge.pipeline.account import PipelineAccount
from soak.runner.judge.pipeline.comparable import PipelineComparable
from soak.runner.judge.pipeline.recount import RecordRecount
from soak.runner.judge.pipeline.tracker import PipelineTracker
from soak.runner.judge.room import Room

ROOM = Room(tracker=PipelineTracker, account=PipelineAccount, recount=RecordRecount, comparable=PipelineComparable)
