//! Where clients come in: a unix socket that only its owner can open, and a TCP address. Knows nothing of what is
//! served; says only by which door each connection came.

mod connections;
mod places;
mod socket;
mod tcp;
mod tls;

pub(crate) use connections::files_max;
pub use connections::{Bounds, raise_files_max};
pub use socket::{IsStranger, SOCKET_NAME, bind, connect, serve};
pub use tcp::{BindError, PORT_DEFAULT, Wanted, bind_tcp, serve_tcp, serve_tcp_within};
pub use tls::{TlsError, serve_tls, tls};
pub use tokio_rustls::TlsAcceptor;
