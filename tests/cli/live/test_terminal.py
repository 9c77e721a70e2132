"""`streamtrans live` on a real pseudo-terminal."""

import os
import re
import signal
import termios
import time
from collections.abc import Iterator

import pexpect
import pytest
from processes import COMMAND, TIMEOUT

READY = "Ctrl-D quits|Ctrl-D the session"
NEXT = "0 words behind"
PASTE_OFF = "\x1b[?2004l"


class Live(pexpect.spawn):
    """The command on a terminal of its own, with the attributes it found there."""

    def __init__(self, *arguments: str, columns: int = 80, command: list[str] | None = None, **environment: str):
        words = command or [*COMMAND, "live", *arguments]
        environment = {**os.environ, "TERM": "xterm-256color", **environment}
        super().__init__(
            words[0], words[1:], env=environment, dimensions=(24, columns), encoding="utf-8", timeout=TIMEOUT
        )
        self.delaybeforesend = None

    def attributes(self) -> list:
        """What `stty` would show, from our end of the terminal."""
        return termios.tcgetattr(self.child_fd)

    def cooked(self) -> bool:
        """Whether the terminal edits lines and echoes."""
        flags = self.attributes()[3]
        return bool(flags & termios.ICANON and flags & termios.ECHO)

    def wait_for_keys(self) -> None:
        """Until it reads key by key; for when it shows nothing."""
        while self.cooked():
            time.sleep(0.02)

    def end(self) -> str:
        """All that is still shown until it ends, without control sequences."""
        self.expect(pexpect.EOF)
        self.close()
        return plain(self.before)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", text).replace("\r", "")


@pytest.fixture
def live() -> Iterator[Live]:
    process = Live()
    process.expect(READY)
    yield process
    process.close(force=True)


def test_words_appear_before_enter():
    live = Live("--wait-k", "2")  # whatever the model's own policy waits for
    live.expect(READY)
    live.send("I would like ")
    live.expect("→ .*Eu")
    assert live.isalive()
    live.send("to book a table. ")
    live.expect("mesa")
    live.sendcontrol("d")
    live.end()
    assert live.exitstatus == 0


def test_letters_are_shown_behind_the_read_mark_at_once(live):
    live.send("I wou")
    live.expect("wou")
    live.expect("1 word behind")


def test_what_is_typed_while_the_model_loads_is_not_lost():
    live = Live()
    live.expect("loading")
    live.send("I would like to bokk\x7f\x7fok a table.\r")
    live.expect("mesa")
    live.sendcontrol("d")
    assert "loading" not in live.end()
    assert live.exitstatus == 0


def test_backspace_takes_back_letters_of_the_unread_word_only(live):
    live.send("Good mornée\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f")
    live.send("friends.\r")
    live.expect("Good friends.*\n.*→ ")
    live.sendcontrol("d")
    live.end()


def test_arrow_keys_and_control_characters_are_not_typed(live):
    live.send("Good \x1b[Amor\x1b[Dning\x01.\r")
    live.expect("Good morning\\.")


def test_enter_ends_the_sentence(live):
    live.send("Good morning, my friend\r")
    live.expect("Good morning, my friend\\W.*→ .*\n")  # finished: without the read mark
    live.expect(NEXT)


def test_words_that_are_copied_are_told_of(live):
    live.send("He said Привет друг.\r")
    live.expect("words in a script that the source language does not use were copied")


def test_pasted_lines_are_sentences(live):
    live.send("\x1b[200~Good morning.\nThank you very much.\n\x1b[201~")
    live.expect("Good morning.*→ ")
    live.expect("Thank you very much.*→ ")
    live.expect(NEXT)


def test_control_c_ends_with_what_is_owed():
    live = Live("--wait-k", "2")
    live.expect(READY)
    before = Live.cooked(live)
    live.send("I would like to go ")
    live.expect("Eu")
    live.sendintr()
    shown = live.end()
    assert (before, live.exitstatus) == (False, 130)
    assert re.search("I would like to go\n→ Eu .+\n", shown)


def test_the_end_of_the_terminal_is_the_end(live):
    live.send("Good morning ")
    live.close(force=False)
    assert not live.isalive()


SHELL = 'trap : INT; stty -a; "$@"; echo "code $?"; stty -a; echo after; cat'


def stty(text: str) -> str:
    """The settings that `stty -a` prints, without the size."""
    return re.sub(r"rows \d+; columns \d+;", "", plain(text))


@pytest.mark.parametrize(
    ("ending", "code"),
    [("\x04", 0), ("\x03", 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["Ctrl-D", "Ctrl-C", "SIGTERM", "SIGHUP"],
)
def test_the_terminal_is_given_back(ending, code):
    shell = Live(command=["sh", "-c", SHELL, "sh", *COMMAND, "live"])
    shell.expect("speed")
    shell.expect("\x1b")
    before = stty(shell.before)
    shell.expect(READY)
    assert not shell.cooked()
    if isinstance(ending, str):
        shell.send(ending)
    else:
        os.kill(child_of(shell.pid), ending)
    shell.expect(re.escape(PASTE_OFF))
    shell.expect(f"code {code}\r\n")
    shell.expect("speed")
    shell.expect("after\r\n")
    assert stty(shell.before) == before
    assert shell.cooked()
    shell.close(force=True)


def child_of(pid: int) -> int:
    """The only child of a process."""
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return int(children.read().split()[0])


def test_an_error_gives_the_terminal_back():
    live = Live("--model", "no-such-model")
    live.expect(re.escape(PASTE_OFF))
    assert "streamtrans: no model 'no-such-model'" in live.end()
    assert live.exitstatus == 1


def test_control_z_gives_the_terminal_back_and_coming_back_draws_again():
    shell = Live(command=["bash", "--norc", "--noprofile", "-i"], PS1="prompt> ")
    shell.expect("prompt> ")
    shell.sendline(" ".join([*COMMAND, "live"]))
    shell.expect(READY)
    shell.send("Good morning, my fri")
    shell.expect("fri")
    shell.sendcontrol("z")
    shell.expect("Stopped")
    shell.expect("prompt> ")
    shell.sendline("stty -a | tr ' ' '\\n' | grep -x -e icanon -e echo")
    shell.expect("icanon\r\necho\r\n")
    shell.sendline("fg")
    shell.expect("Good morning, my.*fri")
    shell.send("end.\r")
    shell.expect("friend\\.")
    shell.expect(NEXT)
    shell.sendcontrol("d")
    shell.expect("prompt> ")
    shell.sendline("exit")
    shell.end()


def test_another_size_draws_again(live):
    live.send("I would like to book a table for two people ")
    live.expect("for two people")
    live.setwinsize(24, 30)
    live.expect("would like to book a *\\S*\r\n")
    live.send("tomorrow.\r")
    live.expect(NEXT)


def test_plain_words_stand_between_what_is_typed():
    live = Live("--plain")
    live.send("Good morning, my friend.\r")
    live.expect("\\[.+\\]")
    live.sendcontrol("d")
    shown = live.end()
    assert live.exitstatus == 0
    assert "\x1b" not in live.before
    assert re.search(r"\n\w.*\.\n", shown)


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=["dumb", "no colour"])
def test_poor_terminals(environment):
    live = Live(**environment)
    live.send("Good morning, my friend.\r")
    live.expect("Bom|Boa")
    live.sendcontrol("d")
    live.end()
    assert live.exitstatus == 0
    assert not re.findall(r"\x1b\[[0-9;]*3\d", live.before)  # colours
    assert "TERM" not in environment or "\x1b" not in live.before


def test_json_on_a_terminal():
    live = Live("--json")
    live.send("Good morning, my friend.\r")
    live.expect('{"type": "read", "sentence": 0, "index": 0, "text": "Good"')
    live.expect('{"type": "end"')
    live.sendcontrol("d")
    assert '{"type": "done"' in live.end()


def test_output_into_a_file_leaves_the_echo_on_the_terminal(tmp_path):
    file = tmp_path / "out.txt"
    live = Live(command=["sh", "-c", f'"$@" > {file}', "sh", *COMMAND, "live"])
    live.wait_for_keys()
    live.send("Good morning, my friend.\r\x04")
    shown = live.end()
    assert live.exitstatus == 0
    assert "Good morning, my friend." in shown
    assert file.read_text().count("\n") == 1
    assert "amigo" in file.read_text()


def test_a_reader_that_has_enough_ends_it_silently():
    live = Live(command=["sh", "-c", '"$@" | head -n 1; echo end', "sh", *COMMAND, "live"])
    live.wait_for_keys()
    live.send("Good morning, my friend.\rThank you very much for all that you have done.\r")
    live.expect("end\r\n")
    assert live.cooked()
    assert live.end() == ""


def test_a_second_control_c_waits_for_nothing(live):
    live.send("we go home and then we go out again and " * 40)
    live.expect("words behind")
    live.sendintr()
    time.sleep(0.3)  # two at once would count as one
    live.sendintr()
    live.end()
    assert live.exitstatus == 130


def test_silence_ends_a_sentence():
    live = Live("--pause", "0.3")
    live.expect(READY)
    live.send("Good morning, my friend")
    live.expect("Good morning, my friend\\W.*→ .*\n")
    live.expect(NEXT)
    live.sendcontrol("d")
    live.end()
