//! The wire to a fake: it can be cut, with every connection on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Debug, Clone)]
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    cuts: watch::Sender<u64>,
    is_cut: Arc<AtomicBool>,
}

impl Relay {
    /// Passes on what comes to a new address.
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay =
            Self { address: listener.local_addr().unwrap(), cuts: watch::Sender::new(0), is_cut: Arc::default() };
        let passing = relay.clone();
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                if passing.is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let mut cuts = passing.cuts.subscribe();
                tokio::spawn(async move {
                    let pass = async {
                        let mut from = from;
                        let Ok(mut to) = TcpStream::connect(server).await else { return };
                        from.set_nodelay(true).ok();
                        to.set_nodelay(true).ok();
                        tokio::io::copy_bidirectional(&mut from, &mut to).await.ok();
                    };
                    tokio::select! {
                        () = pass => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        relay
    }

    /// Every connection of now breaks.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Whether new ones break, too.
    pub(crate) fn set_cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
        if is_cut {
            self.cut();
        }
    }
}
