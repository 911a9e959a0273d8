"""A signal or `stop` in any stage ends the controller as documented, leaves nothing running, and `up` goes on."""

import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import Campaign  # noqa: E402
from check import Checks, need_engine  # noqa: E402

checks = Checks("signals")
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
SMALL = {"axes": {"size": [1, 2]}, "execution": {"cycles": 2}}


def small(**changes):
    return Campaign({**SMALL, **changes})


def goes_on(campaign, starts=1):
    campaign.assert_nothing_left()
    campaign.payload("true")
    campaign.up()
    campaign.assert_complete(starts=starts)


def ends_by(campaign, process, number, quickly=20):
    begin = time.monotonic()
    code = campaign.signal(process, number)
    took = time.monotonic() - begin
    assert code == CODES[number], f"exit code {code}, not {CODES[number]}:\n{campaign.said()[-2000:]}"
    assert took < quickly, f"took {took:.1f} s"


def in_gap(number):
    with small(execution={"cycles": 2, "config_gap_seconds": 120}) as campaign:
        process = campaign.start_up()
        campaign.until("gap_started")
        ends_by(campaign, process, number, quickly=5)
        campaign.assert_nothing_left()
        assert campaign.events("released"), "the run that waited was not released"
        assert len(campaign.counts("start")) == 1
        campaign.up("--no-gaps", "--accept-changes")
        campaign.assert_complete()


def in_prepare(number):
    slow = "[ -e hooked ] || { touch hooked; sleep 3; }"
    with small(hooks={"prepare": ["sh", "-c", slow]}) as campaign:
        process = campaign.start_up()
        campaign.wait("the hook", (campaign.folder / "hooked").exists)
        ends_by(campaign, process, number)
        assert not campaign.witness(), "a payload was started after the signal"
        goes_on(campaign)


def in_measure(number):
    with small() as campaign:
        campaign.payload("sleep 60 & wait $!")
        process = campaign.start_up()
        campaign.until_payload()
        ends_by(campaign, process, number)
        interrupted = campaign.events("interrupted")
        assert [r["reason"] for r in interrupted] == ["signal"], interrupted
        goes_on(campaign, starts=2)


def in_collect(number):
    slow = "[ -e hooked ] || { touch hooked; sleep 2; }"
    with small(hooks={"conclude": ["sh", "-c", slow]}) as campaign:
        process = campaign.start_up()
        campaign.wait("the hook", (campaign.folder / "hooked").exists)
        ends_by(campaign, process, number)
        assert len(campaign.events("completed")) == 1
        goes_on(campaign)


def in_hand_over(number):
    """The signal meets a controller that has just begun to take up a running container."""
    with small() as campaign:
        campaign.payload("sleep 60 & wait $!")
        process = campaign.start_up()
        campaign.until_payload()
        campaign.signal(process)
        second = campaign.start_up()
        campaign.until("adopted")
        ends_by(campaign, second, number)
        goes_on(campaign, starts=2)


def before_anything(number):
    """The image is being resolved: nothing has been started, and the engine answers slowly or not at all."""
    with small() as campaign, SilentEngine() as engine:
        campaign.host = engine.address
        process = campaign.start_up()
        campaign.wait("a connection", lambda: engine.connections)
        ends_by(campaign, process, number, quickly=10)
        campaign.host = None
        goes_on(campaign)


class SilentEngine:
    """Listens where an engine would, takes connections, and never answers."""

    def __enter__(self):
        import socket
        import tempfile
        import threading

        self.folder = tempfile.TemporaryDirectory(prefix="campaignctl-silent-")
        self.address = f"unix://{self.folder.name}/engine.sock"
        self.connections = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.address[len("unix://") :])
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def accept(self):
        while True:
            try:
                self.connections.append(self.listener.accept()[0])
            except OSError:
                return

    def __exit__(self, *_):
        self.listener.close()
        for connection in self.connections:
            connection.close()
        self.folder.cleanup()


for stage in (in_gap, in_prepare, in_measure, in_collect, in_hand_over, before_anything):
    for number in (signal.SIGTERM, signal.SIGINT):
        checks.add(f"{stage.__name__}.{number.name}", lambda s=stage, n=number: s(n))
checks.add("in_measure.SIGHUP", lambda: in_measure(signal.SIGHUP))


@checks.statement
def second_signal_kills_at_once():
    stubborn = "trap '' TERM; for i in $(seq 600); do sleep 0.1; done"
    with small(runner={"stop_grace_period": "60s"}) as campaign:
        campaign.payload(stubborn)
        process = campaign.start_up()
        campaign.until_payload()
        process.send_signal(signal.SIGTERM)
        time.sleep(1)  # the first signal must not be enough: nothing tells of what does not happen
        assert process.poll() is None, "the grace period was not kept"
        ends_by(campaign, process, signal.SIGTERM, quickly=10)
        goes_on(campaign, starts=2)


@checks.statement
def second_signal_ends_a_hook():
    slow = "[ -e hooked ] || { touch hooked; sleep 300; }"
    with small(hooks={"prepare": ["sh", "-c", slow]}) as campaign:
        process = campaign.start_up()
        campaign.wait("the hook", (campaign.folder / "hooked").exists)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)  # two signals at once are one
        ends_by(campaign, process, signal.SIGINT, quickly=10)
        goes_on(campaign)


@checks.statement
def stop_now():
    with small() as campaign:
        campaign.payload("sleep 60 & wait $!")
        process = campaign.start_up()
        campaign.until_payload()
        campaign.run("stop", "--now", campaign.name)
        assert campaign.ended(process) == 75
        goes_on(campaign, starts=2)


@checks.statement
def stop_after_run():
    with small() as campaign:
        campaign.payload("sleep 2")
        process = campaign.start_up()
        campaign.until_payload()
        campaign.run("stop", campaign.name)
        assert campaign.ended(process) == 75
        assert len(campaign.events("completed")) == 1 and len(campaign.witness()) == 2
        goes_on(campaign)


@checks.statement
def stop_after_cycle():
    with small() as campaign:
        campaign.payload("sleep 1.5")
        process = campaign.start_up()
        campaign.until_payload()
        campaign.run("stop", "--after-cycle", campaign.name)
        assert campaign.ended(process) == 75
        ended = sorted(record["run"] for record in campaign.events("completed"))
        assert ended == ["s1.c01", "s2.c01"], ended
        goes_on(campaign)


@checks.statement
def stop_of_what_does_not_run_says_so():
    with small() as campaign:
        campaign.up()
        text = campaign.run("stop", campaign.name, expect=None)
        assert "Traceback" not in text and campaign.started[-1].returncode != 75, text
        campaign.up()


@checks.statement
def workers_and_overlap_stop_too():
    with small(execution={"cycles": 3, "workers": 2, "overlap": "always"}) as campaign:
        campaign.payload("sleep 60 & wait $!")
        process = campaign.start_up()
        campaign.until_payload(2)
        ends_by(campaign, process, signal.SIGTERM)
        goes_on(campaign, starts=2)


need_engine(checks.prefix)
checks.main()
