# Drives a fake Daytona with the vendor's own client: create, run, sessions with streaming, upload, download, list, stop.
import faulthandler

# Longer than all of it takes: a client that waits for ever says where.
faulthandler.dump_traceback_later(100, exit=True)
import asyncio
from daytona import CreateSandboxFromSnapshotParams, Daytona, SessionExecuteRequest

daytona = Daytona()
sandbox = daytona.create(CreateSandboxFromSnapshotParams(snapshot="snap-1", labels={"run": "r1"}, auto_delete_interval=0))

ran = sandbox.process.exec("echo out; echo err >&2; echo $B; pwd", env={"B": "2"})
assert ran.exit_code == 0 and ran.result == "out\nerr\n2\n/home/daytona\n", ran
assert sandbox.process.exec("exit 7").exit_code == 7

sandbox.process.create_session("agent-1")
begun = sandbox.process.execute_session_command(
    "agent-1", SessionExecuteRequest(command="for i in 1 2 3; do echo o$i; echo e$i >&2; sleep 0.1; done; (exit 4)", run_async=True)
)
out, err = [], []
asyncio.run(sandbox.process.get_session_command_logs_async("agent-1", begun.cmd_id, out.append, err.append))
assert "".join(out) == "o1\no2\no3\n" and "".join(err) == "e1\ne2\ne3\n", (out, err)
assert sandbox.process.get_session_command("agent-1", begun.cmd_id).exit_code == 4
moved = sandbox.process.execute_session_command("agent-1", SessionExecuteRequest(command="cd /tmp; export Z=9"))
kept = sandbox.process.execute_session_command("agent-1", SessionExecuteRequest(command="pwd; echo $Z"))
assert moved.exit_code == 0 and kept.stdout == "/tmp\n9\n", kept
sandbox.process.delete_session("agent-1")

sandbox.fs.upload_file(b"hello\n", "/tmp/w/a.txt")
assert sandbox.fs.download_file("/tmp/w/a.txt") == b"hello\n"
assert [entry.name for entry in sandbox.fs.list_files("/tmp/w")] == ["a.txt"]
assert sandbox.fs.get_file_info("/tmp/w/a.txt").size == 6

sandbox.set_labels({"run": "r2"})
assert [row.id for row in daytona.list()] == [sandbox.id]
sandbox.stop()
sandbox.start()
assert sandbox.process.exec("cat /tmp/w/a.txt").result == "hello\n"
sandbox.delete()
print("all well")
