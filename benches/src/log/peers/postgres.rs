//! PostgreSQL as most would use it: as many clients as producers, one INSERT per transaction, a server of its own with the
//! settings it comes with, on the same disk.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use tokio_postgres::{Client, NoTls, Statement};

use super::super::load::{Engine, Turns};
use crate::Outcome;

/// A running server and a client for each producer. Dropping it stops the server.
pub(crate) struct Postgres {
    clients: Vec<(Client, Statement)>,
    records: Turns<Bytes>,
    programs: PathBuf,
    data: PathBuf,
}

/// Debian keeps the server's programs out of PATH, by version.
fn programs() -> Outcome<PathBuf> {
    let mut versions: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql")?.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    versions.sort();
    let newest = versions.pop().filter(|programs| programs.join("initdb").exists());
    newest.ok_or_else(|| "no PostgreSQL server: apt install postgresql".into())
}

/// The server refuses to be root, so root becomes the account that came with the package.
fn as_postgres(program: &Path) -> Command {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

fn run(command: &mut Command) -> Outcome<()> {
    let ended = command.stdin(std::process::Stdio::null()).output()?;
    if ended.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&ended.stderr).trim()).into())
}

impl Postgres {
    pub(crate) async fn start(dir: &Path, clients: usize, payload_bytes: usize) -> Outcome<Self> {
        let programs = programs()?;
        let data = dir.join("postgres");
        std::fs::create_dir(&data)?;
        if as_postgres(Path::new("true")).get_program() == "runuser" {
            let open = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(dir, open)?;
            run(Command::new("chown").arg("postgres").arg(&data))?;
        }
        run(as_postgres(&programs.join("initdb")).arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust"]))?;
        let options = format!("-c listen_addresses= -c max_connections={} -k {}", clients + 8, data.display());
        let log = data.join("server.log");
        let start = ["-w", "-t", "60", "start"];
        run(as_postgres(&programs.join("pg_ctl"))
            .arg("-D")
            .arg(&data)
            .arg("-l")
            .arg(log)
            .args(["-o", &options])
            .args(start))?;
        let mut postgres = Self { clients: vec![], records: super::records(payload_bytes), programs, data };
        postgres.connect(clients).await?;
        Ok(postgres)
    }

    async fn connect(&mut self, clients: usize) -> Outcome<()> {
        let place = format!("host={} user=postgres dbname=postgres", self.data.display());
        for number in 0..clients {
            let (client, connection) = tokio_postgres::connect(&place, NoTls).await?;
            tokio::spawn(connection);
            if number == 0 {
                client.batch_execute("CREATE TABLE events (seq BIGSERIAL PRIMARY KEY, record BYTEA NOT NULL)").await?;
            }
            let insert = client.prepare("INSERT INTO events (record) VALUES ($1)").await?;
            self.clients.push((client, insert));
        }
        Ok(())
    }
}

impl Engine for Postgres {
    async fn append(&self, producer: usize) -> Outcome<()> {
        let (client, insert) = self.clients.get(producer).ok_or("more producers than clients")?;
        client.execute(insert, &[&&**self.records.next()?]).await?;
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let stop = ["-m", "immediate", "-w", "stop"];
        if let Err(error) = run(as_postgres(&self.programs.join("pg_ctl")).arg("-D").arg(&self.data).args(stop)) {
            eprintln!("error: failed to stop PostgreSQL: {error}");
        }
    }
}
