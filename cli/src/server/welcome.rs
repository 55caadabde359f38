//! What a person who has just started a server is told, so that they can sign in.

use regatta_http::requests::{LinkMade, TokenMade, TokenRequest, TokenRow};

use crate::context::Context;
use crate::failure::Failure;
use crate::terminal::Terminal;

/// What the first admin token is called.
const FIRST: &str = "first start";

/// Tells the admin token.
pub(crate) fn token(terminal: &Terminal, secret: &str) {
    terminal.note(format!("admin token, shown this once: {secret}"));
}

/// Tells a sign-in link.
pub(crate) fn link(terminal: &Terminal, link: &str) {
    terminal.note(format!("sign in, once, within ten minutes: {link}"));
}

/// What is made for the person who started a server in the background.
#[derive(serde::Serialize)]
pub(crate) struct Welcome {
    #[serde(flatten)]
    pub(crate) link: LinkMade,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) admin_token: Option<String>,
}

/// Makes a sign-in link, and the first admin token when there never was one.
pub(crate) async fn make(context: &Context) -> Result<Welcome, Failure> {
    let client = context.client();
    let tokens: Vec<TokenRow> = client.get("/tokens").await?;
    let mut admin_token = None;
    if tokens.is_empty() {
        let request = TokenRequest { name: FIRST.to_owned(), user: None, role: None, expires_in_s: None };
        admin_token = Some(client.create::<_, TokenMade>("/tokens", &request).await?.token);
    }
    Ok(Welcome { link: client.create("/sign-in-links", &serde_json::json!({})).await?, admin_token })
}
