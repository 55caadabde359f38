//! What runs in a fake sandbox, in place of the vendor's own server.

mod envd;
mod files;
mod toolbox;

use std::os::unix::fs::PermissionsExt;

/// Tells the program what it is inside.
pub(crate) const KIND: &str = "REGATTA_FAKE_INSIDE";
/// What opens it.
pub(crate) const TOKEN: &str = "REGATTA_FAKE_TOKEN";
/// Where it listens.
const SOCKET: &str = "/run/socket";

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Envd,
    Toolbox,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Envd => "envd",
            Self::Toolbox => "toolbox",
        }
    }

    /// Who commands run as, in name.
    pub(crate) fn user(self) -> &'static str {
        match self {
            Self::Envd => "user",
            Self::Toolbox => "daytona",
        }
    }
}

/// Serves until it is killed when this process is the inside of a sandbox; else returns at once.
pub fn serve_if_asked() {
    let Ok(kind) = std::env::var(KIND) else { return };
    let token = std::env::var(TOKEN).unwrap();
    let router = if kind == "envd" { envd::router(token) } else { toolbox::router() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::bind(SOCKET).unwrap();
        std::fs::set_permissions(SOCKET, std::fs::Permissions::from_mode(0o666)).unwrap();
        axum::serve(listener, router).await.unwrap();
    });
}

/// A path as the server inside takes it: relative ones begin at home.
pub(crate) fn at_home(path: &str) -> std::path::PathBuf {
    std::path::Path::new(&std::env::var("HOME").unwrap()).join(path)
}
