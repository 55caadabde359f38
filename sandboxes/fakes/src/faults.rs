//! What goes wrong, when a test wants it to: for so many requests of a kind, and never twice for one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::Response;

/// Which requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Create,
    List,
    Delete,
    /// A snapshot is removed.
    Forget,
    Inside,
    Any,
}

/// What happens to them.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Refused: status, body, further headers.
    Refuse(u16, &'static str, Vec<(&'static str, &'static str)>),
    /// Done, but the answer is lost with every connection.
    LoseReply,
    /// Answered late.
    Late(Duration),
    /// Done twice.
    Twice,
}

#[derive(Debug, Clone, Default)]
pub struct Faults {
    left: Arc<Mutex<Vec<(On, Fault, u32)>>>,
    /// Every request so far: method and path.
    seen: Arc<Mutex<Vec<(Method, String)>>>,
}

impl Faults {
    /// The next `times` requests of that kind go wrong so.
    pub fn add(&self, on: On, fault: Fault, times: u32) {
        self.left.lock().unwrap().push((on, fault, times));
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        self.left.lock().unwrap().clear();
    }

    /// How many requests came whose path ends so.
    pub fn count(&self, method: &Method, end: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|(seen, path)| seen == method && path.ends_with(end)).count()
    }

    pub(crate) fn take(&self, method: &Method, path: &str) -> Option<Fault> {
        self.seen.lock().unwrap().push((method.clone(), path.to_owned()));
        let on = kind(method, path);
        let mut left = self.left.lock().unwrap();
        let (_, fault, times) =
            left.iter_mut().find(|(wanted, _, times)| *times > 0 && (*wanted == on || *wanted == On::Any))?;
        *times -= 1;
        Some(fault.clone())
    }
}

fn kind(method: &Method, path: &str) -> On {
    let path = path.trim_end_matches('/');
    let is_control = path.ends_with("/sandboxes") || path.ends_with("/api/sandbox");
    match *method {
        Method::POST if is_control => On::Create,
        Method::GET if is_control => On::List,
        Method::DELETE if path.contains("/sandboxes/") || path.contains("/api/sandbox/") => On::Delete,
        Method::DELETE if path.contains("/templates/") => On::Forget,
        _ => On::Inside,
    }
}

pub(crate) fn refusal(status: u16, body: &str, headers: &[(&str, &str)]) -> Response {
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    response = response.header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body.to_owned())).unwrap()
}
