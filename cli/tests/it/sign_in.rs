//! Sign-in with the real binary: the page's address, links and tokens, and that no secret stays anywhere.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::install::{Install, can_race};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks by TCP; the whole answer, head and body.
pub(crate) fn ask(url: &str, request: &str, headers: &[&str], body: &str) -> String {
    let address = url.strip_prefix("http://").expect("http");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).expect("asked");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answer");
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

pub(crate) fn up(install: &Install, more: &[&str]) -> Value {
    let all: Vec<&str> = ["up", "--detach", "--json"].into_iter().chain(more.iter().copied()).collect();
    install.regatta(&all).exits(0).json()
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is not in {value}"))
}

/// Files under a folder that hold these bytes.
fn hits(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(hits(&path, bytes));
        } else if path.is_file()
            && std::fs::read(&path).expect("file").windows(bytes.len()).any(|window| window == bytes)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_first_start_lets_its_owner_in_once_by_link_and_no_secret_stays_anywhere() {
    let install = Install::new();
    let told = up(&install, &[]);
    let (url, link, token) = (text(&told, "url"), text(&told, "link"), text(&told, "admin_token"));
    let path = link.strip_prefix(url).expect("ours");
    let first = ask(url, &format!("GET {path}"), &[], "");
    assert_eq!(status(&first), "303", "{first}");
    let cookie = first.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("cookie");
    let cookie = cookie.split(';').next().expect("value").to_owned();
    assert_eq!(status(&ask(url, &format!("GET {path}"), &[], "")), "401", "a link works once");
    let me = ask(url, "GET /api/v1/me", &[&format!("Cookie: {cookie}")], "");
    assert!(me.contains(r#""name":"ana","role":"admin""#) && me.contains(r#""via":"session""#), "{me}");
    let by_token = format!("Authorization: Bearer {token}");
    assert_eq!(status(&ask(url, "GET /api/v1/runs", &[&by_token], "")), "200");
    assert_eq!(status(&ask(url, "GET /api/v1/runs", &[], "")), "401");
    // Wrong ones and right ones in odd places are not kept either.
    ask(url, &format!("GET /api/v1/runs?token={token}"), &[], "");
    ask(url, "GET /api/v1/me", &[&format!("Authorization: Bearer {token}0")], "");
    ask(url, "POST /api/v1/session", &[], &format!(r#"{{"token":"{token}","more":1}}"#));
    let made = install.regatta(&["token", "create", "ci", "--role", "viewer"]).exits(0);
    let second = up(&install, &[]);
    assert!(second["admin_token"].is_null() && second["already_running"] == true, "{second}");
    let export = install.folder().join("export");
    install.regatta(&["log", "export", "-o", export.to_str().expect("path")]).exits(0);
    install.regatta(&["down"]).exits(0);
    for secret in [token, link, &cookie, made.out.trim(), text(&second, "link")] {
        let secret = secret.rsplit('_').next().expect("secret");
        assert_eq!(secret.len(), 64);
        assert_eq!(hits(install.folder(), secret.as_bytes()), [""; 0]);
    }
    assert!(std::fs::read_to_string(&export).expect("export").contains("user.signed_in"), "the search can find");
}

#[test]
fn an_address_that_is_taken_or_open_to_others_is_refused_with_what_to_do() {
    let install = Install::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("listen");
    let taken = taken.local_addr().expect("address").to_string();
    install.regatta(&["up", "--listen", &taken]).exits(4).says("another program listens there");
    let open = install.regatta(&["up", "--listen", "0.0.0.0:0"]).exits(3);
    open.says("nothing there would be encrypted").says("--tls-cert").says("--behind-proxy");
    install.regatta(&["up", "--listen", "nowhere"]).exits(2).says("is no address with a port");
    install.regatta(&["up", "--tls-cert", "/none"]).exits(2).says("go together");
    // Whoever names no address gets the next free one.
    let other = Install::new();
    for each in [&install, &other] {
        let mut up = each.command(&["up", "--detach"]);
        assert!(up.env_remove("REGATTA_HTTP_LISTEN").status().expect("up").success());
    }
}

#[test]
fn an_attempt_that_comes_by_tcp_is_nobody() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let told = up(&install, &[]);
    let address = text(&told, "url").strip_prefix("http://").expect("http").replace(':', "/");
    let ask = format!(
        "exec 3<>/dev/tcp/{address}; printf \"POST /api/v1/shutdown HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n\" >&3; cat <&3"
    );
    for sandbox in ["host", "local"] {
        let agent = format!("command@{sandbox}=bash -c '{ask}' | head -1; echo changed >> file");
        let run = install.race(&["-a", &agent, "--strategy", "all"], 1);
        let said = install.regatta(&["show", &format!("{run}.a"), "--output"]).out;
        assert!(said.contains("401 Unauthorized"), "{sandbox}: {said}");
    }
}

#[test]
fn a_user_is_added_demoted_and_removed_and_a_token_revoked() {
    let install = Install::new();
    let told = up(&install, &[]);
    let url = text(&told, "url");
    install
        .regatta(&["user", "add", "ben", "--role", "operator"])
        .exits(0)
        .says("regatta token create NAME --user ben");
    let token = install.regatta(&["token", "create", "laptop", "--user", "ben"]).exits(0).out;
    let by = format!("Authorization: Bearer {}", token.trim());
    assert!(ask(url, "GET /api/v1/me", &[&by], "").contains(r#""role":"operator""#));
    install.regatta(&["user", "role", "ben", "viewer"]).exits(0);
    assert_eq!(status(&ask(url, "POST /api/v1/runs", &[&by], "{}")), "403");
    let rows = install.view(&["token", "ls"]);
    let row = rows.as_array().expect("rows").iter().find(|row| row["user"] == "ben").expect("row").clone();
    assert!(row["last_used_at_us"].is_u64(), "{row}");
    install.regatta(&["token", "revoke", text(&row, "id")]).exits(0);
    assert_eq!(status(&ask(url, "GET /api/v1/me", &[&by], "")), "401");
    install.regatta(&["user", "rm", "ben"]).exits(0);
    install.regatta(&["user", "rm", "ben"]).exits(3).says("no user \"ben\"");
    install.regatta(&["token", "revoke", "none"]).exits(3).says("regatta token ls");
    install.regatta(&["token", "create", "--role", "king"]).exits(2);
}

#[test]
fn the_configuration_is_changed_recorded_and_in_force_after_the_next_start() {
    let install = Install::new();
    let told = up(&install, &[]);
    let (url, by) = (text(&told, "url").to_owned(), format!("Authorization: Bearer {}", text(&told, "admin_token")));
    let get = |url: &str, path: &str| -> Value {
        let answer = ask(url, &format!("GET /api/v1{path}"), &[&by], "");
        let body = answer.split_once("\r\n\r\n").expect("body").1;
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    };
    let row = |rows: &Value, key: &str| {
        rows.as_array().expect("rows").iter().find(|row| row["key"] == key).expect("row").clone()
    };
    let put = |key: &str, value: &str| {
        ask(&url, &format!("PUT /api/v1/config/{key}"), &[&by], &format!(r#"{{"value":{value}}}"#))
    };
    assert_eq!(status(&put("limits.local", "3")), "200");
    assert_eq!(status(&put("run.checks", r#"["make test"]"#)), "200");
    assert_eq!(status(&put("limits.local", "0")), "400");
    assert_eq!(status(&put("limits.loca", "1")), "404");
    assert_eq!(status(&put("limits.attempts", "5")), "409", "a variable sets it, which the file cannot overrule");
    assert_eq!(status(&put("nats.url", r#""nats://u:canary-password@localhost:1""#)), "200");
    let rows = get(&url, "/config");
    assert_eq!(
        (&row(&rows, "limits.local")["value"], &row(&rows, "limits.local")["after_restart"]),
        (&Value::Null, &3.into())
    );
    assert_eq!(row(&rows, "run.checks")["value"], serde_json::json!(["make test"]));
    let history = get(&url, "/config/history");
    assert_eq!(history[2]["key"], "limits.local", "{history}");
    assert_eq!((history[2]["by"].as_str(), &history[2]["to"]), (Some("user:ana"), &3.into()));
    assert!(!format!("{rows}{history}").contains("canary-password"));
    assert!(
        get(&url, "/doctor").as_array().expect("rows").iter().any(|row| row["name"] == "git" && row["state"] == "ok")
    );
    assert_eq!(status(&put("nats.url", "null")), "200");
    install.regatta(&["down"]).exits(0);
    assert_eq!(hits(&install.data(), b"canary-password"), [""; 0]);
    let file = std::fs::read_to_string(install.data().join("regatta.toml")).expect("file");
    assert!(file.contains("local = 3") && file.contains("checks = [\"make test\"]"), "{file}");
    let again = up(&install, &[]);
    let rows = get(text(&again, "url"), "/config");
    assert_eq!(row(&rows, "limits.local")["value"], 3);
    assert_eq!(get(text(&again, "url"), "/config/history").as_array().map(Vec::len), Some(4), "a start is no news");
}

#[test]
fn over_tls_the_cookie_is_only_for_tls() {
    let install = Install::new();
    let (certificate, key) = (install.folder().join("cert.pem"), install.folder().join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    let has_curl = Command::new("curl").arg("--version").output().is_ok();
    if !made.is_ok_and(|made| made.status.success()) || !has_curl {
        assert!(std::env::var("REGATTA_TEST_REQUIRE").as_deref() != Ok("all"), "openssl or curl is missing");
        println!("skipped: openssl or curl is not here");
        return;
    }
    let path = |path: &Path| path.to_str().expect("path").to_owned();
    let flags = ["--tls-cert", &path(&certificate), "--tls-key", &path(&key)];
    let told = up(&install, &flags);
    let (url, link) = (text(&told, "url"), text(&told, "link"));
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl").args(["-sik", "--max-time", "20"]).args(arguments).output().expect("curl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let signed_in = curl(&[link]);
    assert!(signed_in.contains("set-cookie: __Host-regatta-") && signed_in.contains("; Secure"), "{signed_in}");
    assert_eq!(curl(&[&url.replace("https", "http")]), "", "nothing is said in the clear");
    let address = url.strip_prefix("https://").expect("https");
    let mut silent = TcpStream::connect(address).expect("it listens");
    assert!(curl(&[&format!("{url}/api/v1/me")]).contains("401"), "one that says nothing holds up nobody");
    silent.write_all(b"no tls").expect("sent");
}
