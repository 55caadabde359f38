//! SQLite in WAL mode with `synchronous=FULL`, and fjall 3 with `SyncAll`: one transaction, or batch, per group.

use std::path::Path;

use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use rusqlite::Connection;

use super::super::committer::Committer;
use crate::Outcome;

pub(crate) fn sqlite(dir: &Path, payload_bytes: usize) -> Outcome<Committer> {
    let mut connection = Connection::open(dir.join("sqlite"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("CREATE TABLE events (seq INTEGER PRIMARY KEY, record BLOB NOT NULL)")?;
    Ok(Committer::start(super::records(payload_bytes), move |group| {
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO events (record) VALUES (?1)")?;
            for record in group {
                insert.execute([&**record])?;
            }
        }
        Ok(transaction.commit()?)
    }))
}

pub(crate) fn fjall(dir: &Path, payload_bytes: usize) -> Outcome<Committer> {
    let database = Database::builder(dir.join("fjall")).open()?;
    let events = database.keyspace("events", KeyspaceCreateOptions::default)?;
    let mut seq = 0_u64;
    Ok(Committer::start(super::records(payload_bytes), move |group| {
        let mut batch = database.batch();
        for record in group {
            seq += 1;
            batch.insert(&events, seq.to_be_bytes(), &**record);
        }
        batch.commit()?;
        Ok(database.persist(PersistMode::SyncAll)?)
    }))
}
