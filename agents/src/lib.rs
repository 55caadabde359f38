//! stub
#![allow(missing_docs)]
use regatta_core::event::run::Entry;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
pub struct Agent;
pub struct Task<'a> {
    pub prompt: &'a str,
    pub prompt_file: &'a str,
    pub model: Option<&'a str>,
}
pub struct Start {
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub env_pass: Vec<String>,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct Error;
impl Error {
    pub fn hint(&self) -> Option<String> {
        None
    }
}
pub fn find(_e: &Entry) -> Result<Agent, Error> {
    Ok(Agent)
}
pub fn agent(e: &Entry) -> Result<Agent, Error> {
    find(e)
}
impl Agent {
    pub fn home_links(&self, _h: &Path) -> Vec<(PathBuf, PathBuf)> {
        vec![]
    }
    pub fn start(&self, t: &Task<'_>) -> Result<Start, Error> {
        Ok(Start { argv: vec!["x".into(), t.prompt_file.into()], env: BTreeMap::new(), env_pass: vec![] })
    }
}
