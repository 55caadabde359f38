//! A server that is killed without warning, and started again.

use std::fs;
use std::process::{Child, Stdio};

use crate::install::Install;

pub(crate) struct Victim<'a> {
    install: &'a Install,
    server: Option<Child>,
}

impl<'a> Victim<'a> {
    pub(crate) fn new(install: &'a Install) -> Self {
        Self { install, server: None }
    }

    pub(crate) fn start(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.install.folder().join("server.log"));
        let server = self.install.command(&["up"]).stdout(Stdio::null()).stderr(log.expect("log")).spawn();
        self.server = Some(server.expect("server"));
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("kill");
            server.wait().expect("wait");
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.install.regatta(&["ls"]).code == 0
    }
}

impl Drop for Victim<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}
