//! Answering calls: reads frames from standard input, writes answers to standard output. Decides nothing.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::fill::{self, Filling};
use super::wire::{Answer, Answered, Asked, Call, Frames, Shown, frame, unsealed};
use super::{MAIN, RUN, SANDBOX, SECRETS, USER};
use crate::layout::HOME;
use crate::local::LocalProvider;
use crate::provider::{Error, Provider as _};

/// Folders for temporary files that are kept in memory.
const IN_MEMORY: [&str; 2] = ["/tmp", "/var/tmp"];
/// Bytes read from standard input at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces that wait to be looked at.
const PIECES_MAX: usize = 16;
/// Answers that wait to be written.
const ANSWERS_MAX: usize = 64;
/// One who was started for a connection and hears nothing for so long has lost it.
const SILENCE_MAX: Duration = Duration::from_secs(300);

/// Answers calls until standard input ends; the container's main process until it is told to end.
///
/// # Errors
/// When the machine cannot do it, or what arrives is no call.
pub(crate) fn serve(role: &str) -> io::Result<()> {
    let is_main = role == MAIN;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let provider = LocalProvider::inside(RUN.into(), USER).map_err(io::Error::other)?;
        if !is_main {
            return answer_calls(&provider, Some(SILENCE_MAX)).await;
        }
        fill::own(&provider)?;
        let mut told = signal(SignalKind::terminate())?;
        let answered = async {
            // Whoever made the container is gone; others come through doors of their own.
            answer_calls(&provider, None).await.ok();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = answered => {}
            _ = told.recv() => {}
        }
        Ok(())
    });
    runtime.shutdown_background();
    served
}

async fn answer_calls(provider: &LocalProvider, silence_max: Option<Duration>) -> io::Result<()> {
    let (answers, to_write) = mpsc::channel(ANSWERS_MAX);
    let (pieces, mut read) = mpsc::channel(PIECES_MAX);
    // Both end with the process: neither can be interrupted.
    std::thread::spawn(move || write_all(to_write));
    std::thread::spawn(move || read_all(&pieces));
    let (mut frames, filling) = (Frames::default(), Arc::<Filled>::default());
    let silence_max = silence_max.unwrap_or(Duration::MAX);
    while let Ok(Some(piece)) = tokio::time::timeout(silence_max, read.recv()).await {
        frames.push(&piece);
        while let Some((asked, body)) = frames.next::<Asked>()? {
            let (provider, answers, filling) = (provider.clone(), answers.clone(), Arc::clone(&filling));
            tokio::spawn(async move {
                let (answer, body) = match answer(&provider, &filling, asked.call, body).await {
                    Ok(answered) => answered,
                    Err(error) => (Answer::Failed(error.into()), Vec::new()),
                };
                if let Ok(frame) = frame(&Answered { id: asked.id, answer }, &body) {
                    // Nobody listens any more.
                    answers.send(frame).await.ok();
                }
            });
        }
    }
    Ok(())
}

/// Reads standard input to its end.
fn read_all(pieces: &mpsc::Sender<Vec<u8>>) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match io::stdin().read(&mut piece) {
            Ok(read @ 1..) => {
                if pieces.blocking_send(piece.get(..read).unwrap_or_default().to_vec()).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
        }
    }
}

/// Writes answers as long as somebody takes them.
fn write_all(mut answers: mpsc::Receiver<Vec<u8>>) {
    let mut out = io::stdout();
    while let Some(answer) = answers.blocking_recv() {
        if out.write_all(&answer).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// The filling this connection has under way.
type Filled = tokio::sync::Mutex<Option<Filling>>;

async fn answer(
    provider: &LocalProvider,
    filling: &Filled,
    call: Call,
    body: Bytes,
) -> Result<(Answer, Vec<u8>), Error> {
    let done = |()| (Answer::Done, Vec::new());
    Ok(match call {
        Call::Start { command } => {
            let secrets = unsealed(&body)
                .map_err(|source| Error::Transient { action: "read what is passed on".to_owned(), source })?;
            provider.start_with(SANDBOX, &command.into(), secrets).await.map(done)?
        }
        Call::Status { exec } => (Answer::Status(provider.status(SANDBOX, &exec).await?.into()), Vec::new()),
        Call::Read { exec, stdio, offset, bytes_max } => {
            (Answer::Bytes, provider.read(SANDBOX, &exec, stdio, offset, bytes_max).await?)
        }
        Call::Changed { exec } => {
            provider.changed(SANDBOX, &exec).await;
            done(())
        }
        Call::Kill { exec, grace_ms } => provider.kill(SANDBOX, &exec, grace_ms).await.map(done)?,
        Call::Get { exec, name, bytes_max } => (Answer::Bytes, provider.get(SANDBOX, &exec, &name, bytes_max).await?),
        Call::LeftNothing { exec } => (Answer::Flag(provider.left_nothing(SANDBOX, &exec).await?), Vec::new()),
        Call::Untouched => (Answer::Flag(provider.untouched(SANDBOX).await?), Vec::new()),
        Call::NothingInMemory => {
            // What is root's was brought with the sandbox, and is with the next one.
            let is_ours = |entry: io::Result<std::fs::DirEntry>| {
                entry.and_then(|entry| entry.metadata()).is_ok_and(|metadata| metadata.uid() == 0)
            };
            let is_empty = |path: &&str| std::fs::read_dir(path).is_ok_and(|mut found| found.all(is_ours));
            (Answer::Flag(IN_MEMORY.iter().all(is_empty)), Vec::new())
        }
        Call::Fill { last } => {
            let failed = |source| Error::Transient { action: "fill the sandbox".to_owned(), source };
            (Answer::Flag(take(provider, filling, body, last).await.map_err(failed)?), Vec::new())
        }
        Call::Show { files } => show(&files, &body)
            .map(done)
            .map_err(|source| Error::Transient { action: "show files in the home".to_owned(), source })?,
    })
}

/// Takes a piece of what the sandbox begins with; whether more is wanted.
async fn take(provider: &LocalProvider, filling: &Filled, piece: Bytes, last: bool) -> io::Result<bool> {
    let mut held = filling.lock().await;
    if piece.is_empty() && !last {
        // One that was given up on this connection lets go first.
        held.take();
        *held = fill::begin(provider).await?;
        return Ok(held.is_some());
    }
    let Some(open) = held.take() else { return Err(io::Error::other("nobody began to")) };
    if last {
        return open.finish().await.map(|()| false);
    }
    // One that fails is not held any more.
    *held = Some(open.take(piece).await?);
    Ok(true)
}

/// Puts files in memory, readable for commands alone, and links to them in the home. What is there already stays.
fn show(files: &[Shown], contents: &[u8]) -> io::Result<()> {
    let home = Path::new(super::ROOT).join(SANDBOX).join(HOME);
    let mut rest = contents;
    for (number, file) in files.iter().enumerate() {
        let target = PathBuf::from(&file.target);
        let is_below = target.components().all(|part| matches!(part, Component::Normal(_)));
        let content = rest.get(..file.bytes).filter(|_| is_below && !file.target.is_empty());
        let content = content.ok_or_else(|| io::Error::other("it does not say what to show"))?;
        rest = rest.get(file.bytes..).unwrap_or_default();
        let secret = Path::new(SECRETS).join(number.to_string());
        put(&secret, content)?;
        let link = home.join(target);
        if let Some(parent) = link.parent() {
            make_owned(&home, parent)?;
        }
        // A link of ours may be one of another sandbox, whose files had other numbers.
        if std::fs::read_link(&link).is_ok_and(|leads| leads != secret && leads.starts_with(SECRETS)) {
            std::fs::remove_file(&link)?;
        }
        match std::os::unix::fs::symlink(&secret, &link) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let file = std::fs::File::options().write(true).create_new(true).mode(0o400).open(path);
    let mut file = match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        file => file?,
    };
    file.write_all(content)?;
    std::os::unix::fs::fchown(&file, Some(USER), Some(USER))
}

/// Makes the folders between the home and `folder`, for commands to write in.
fn make_owned(home: &Path, folder: &Path) -> io::Result<()> {
    let between: Vec<&Path> = folder.ancestors().take_while(|ancestor| *ancestor != home).collect();
    for folder in between.into_iter().rev() {
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                made?;
                std::os::unix::fs::lchown(folder, Some(USER), Some(USER))?;
            }
        }
    }
    Ok(())
}
