# Drives a fake E2B with the vendor's own client: create, run with streaming, upload, download, kill, list, pause.
import faulthandler

# Longer than all of it takes: a client that waits for ever says where.
faulthandler.dump_traceback_later(100, exit=True)
from e2b import Sandbox, CommandExitException, SandboxQuery, NotFoundException

sandbox = Sandbox.create(timeout=120, metadata={"run": "r1", "owner": "test"}, envs={"A": "1"})
other = Sandbox.create(timeout=120, metadata={"run": "r2"})

pieces = []
ran = sandbox.commands.run(
    "echo out1; sleep 0.1; echo err1 >&2; sleep 0.1; printf '%s' \"$B $PWD\"",
    envs={"B": "2"},
    on_stdout=lambda piece: pieces.append(piece),
)
assert ran.exit_code == 0 and ran.stdout == "out1\n2 /home/user" and ran.stderr == "err1\n", ran
assert "".join(pieces) == ran.stdout and len(pieces) >= 2, pieces

try:
    sandbox.commands.run("exit 7")
    raise AssertionError("no exit code")
except CommandExitException as error:
    assert error.exit_code == 7, error

written = sandbox.files.write("proj/a.txt", "hello file\n")
assert written.path == "/home/user/proj/a.txt", written
assert sandbox.files.read("proj/a.txt") == "hello file\n"
assert sandbox.commands.run("cat proj/a.txt").stdout == "hello file\n"
assert [entry.name for entry in sandbox.files.list("/home/user/proj")] == ["a.txt"]
assert sandbox.files.exists("proj/a.txt") and not sandbox.files.exists("nope")
try:
    sandbox.files.read("/nope")
    raise AssertionError("a missing file")
except NotFoundException:
    pass

echo = sandbox.commands.run("cat; echo bye", background=True, stdin=True)
sandbox.commands.send_stdin(echo.pid, "hello stdin\n")
assert [process.pid for process in sandbox.commands.list()] == [echo.pid]
sandbox.commands.close_stdin(echo.pid)
ended = echo.wait()
assert ended.stdout == "hello stdin\nbye\n", ended

sleeping = sandbox.commands.run("sleep 100", background=True)
assert sandbox.commands.kill(sleeping.pid)
assert not sandbox.commands.kill(999999)

found = Sandbox.list(query=SandboxQuery(metadata={"run": "r1"})).next_items()
assert [row.sandbox_id for row in found] == [sandbox.sandbox_id], found
pages, listed = Sandbox.list(limit=1), []
while pages.has_next:
    listed += pages.next_items()
assert {row.sandbox_id for row in listed} == {sandbox.sandbox_id, other.sandbox_id}, listed

snapshot = sandbox.create_snapshot()
copy = Sandbox.create(snapshot.snapshot_id, timeout=60, metadata={"run": "r3"})
assert copy.commands.run("cat proj/a.txt").stdout == "hello file\n"
assert Sandbox.delete_snapshot(snapshot.snapshot_id) and not Sandbox.delete_snapshot(snapshot.snapshot_id)
assert copy.commands.run("cat proj/a.txt").stdout == "hello file\n" and copy.kill()

sandbox.set_timeout(300)
assert sandbox.is_running()
sandbox.pause()
again = Sandbox.connect(sandbox.sandbox_id, timeout=60)
assert again.commands.run("cat proj/a.txt").stdout == "hello file\n"
assert again.kill() and other.kill()
assert not Sandbox.kill("missing-1")
print("all well")
