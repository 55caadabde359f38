//! What a configuration key is, and how its text is read. Pure.

use std::str::FromStr as _;

use bytesize::ByteSize;
use regatta_core::bus::redacted;
use regatta_core::vault::Credential;

/// Which half of the program a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// What the server keeps to. A project's file may not set it: a repository must not choose its own fence.
    Server,
    /// What a run is asked for with, when its flags do not say.
    Run,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    /// The whole path of a folder or a file, or from the home on: a server has no folder of its own that others would begin at.
    Folder,
    /// A server's address, or several with commas. It may hold a password, so it is never shown as it is.
    Address,
    /// Where a credential comes from: a file, `env:NAME` or `secret:NAME`.
    Credential,
    /// One of these words.
    Word(&'static [&'static str]),
    Flag,
    /// A whole number, at least and at most.
    Count(u64, u64),
    /// A number with at most three decimals, in thousandths, at least and at most.
    Decimal(u64, u64),
    /// `10m`, `1h 30m`, `90s`.
    Duration,
    /// `8GiB`, `512MB`, or bytes.
    Size,
    /// In a variable: one per line.
    List,
}

/// A configuration key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// Dotted, as in TOML.
    pub(crate) name: &'static str,
    pub(crate) scope: Scope,
    pub(crate) shape: Shape,
    pub(crate) default: fn() -> Value,
    /// One line for people.
    pub(crate) about: &'static str,
}

/// A value, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Unset,
    Text(String),
    Address(String),
    Flag(bool),
    Count(u64),
    /// Thousandths.
    Milli(u64),
    Ms(u64),
    Bytes(u64),
    List(Vec<String>),
}

/// A value as written, before anybody knows what it should look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    One(String),
    Many(Vec<String>),
}

impl Key {
    /// The variable that sets it: `REGATTA_LIMITS_ATTEMPTS`.
    pub(crate) fn variable(&self) -> String {
        format!("REGATTA_{}", self.name.replace('.', "_").to_uppercase())
    }

    /// Reads a value, or says what it should look like.
    pub(crate) fn read(&self, written: &Written) -> Result<Value, String> {
        let text = match (self.shape, written) {
            (Shape::List, Written::Many(texts)) => return Ok(Value::List(texts.clone())),
            (Shape::List, Written::One(text)) => {
                let texts = text.lines().map(str::trim).filter(|line| !line.is_empty());
                return Ok(Value::List(texts.map(str::to_owned).collect()));
            }
            (_, Written::Many(_)) => return Err(format!("{} is one value, not a list", self.name)),
            (_, Written::One(text)) => text.trim(),
        };
        let wrong = |expected: &str| format!("{} = {text:?} should be {expected}", self.name);
        match self.shape {
            // Whoever writes it here would find it in the log, which keeps what is configured.
            Shape::Credential if is_pasted(text) => Err(format!(
                "{} says where a credential is kept, and never the credential: regatta secret set NAME, and here secret:NAME",
                self.name
            )),
            Shape::Credential => match text.parse::<Credential>() {
                Ok(credential) => Ok(Value::Text(credential.to_string())),
                Err(error) => Err(format!("{} = {text:?}: {error}", self.name)),
            },
            Shape::Folder if !text.starts_with('/') && !text.starts_with("~/") => {
                Err(wrong("a whole path, as /mnt/elsewhere/regatta or ~/backup"))
            }
            Shape::Text | Shape::Folder | Shape::List => Ok(Value::Text(text.to_owned())),
            Shape::Address => {
                let fits = |part: &str| !part.trim().is_empty() && !part.contains(char::is_whitespace);
                if text.split(',').all(fits) {
                    return Ok(Value::Address(text.to_owned()));
                }
                Err(format!("{} = {:?} should be an address, as nats://host:4222", self.name, redacted(text)))
            }
            Shape::Word(words) => {
                let word = words.iter().find(|word| **word == text);
                word.map(|word| Value::Text((*word).to_owned()))
                    .ok_or_else(|| wrong(&format!("one of {}", words.join(", "))))
            }
            Shape::Flag => match text {
                "true" | "on" | "yes" | "1" => Ok(Value::Flag(true)),
                "false" | "off" | "no" | "0" => Ok(Value::Flag(false)),
                _ => Err(wrong("true or false")),
            },
            Shape::Count(min, max) => {
                let count = text.parse().ok().filter(|count| (min..=max).contains(count));
                count.map(Value::Count).ok_or_else(|| wrong(&format!("a number between {min} and {max}")))
            }
            Shape::Decimal(min, max) => {
                let milli = milli(text).filter(|milli| (min..=max).contains(milli));
                milli.map(Value::Milli).ok_or_else(|| {
                    wrong(&format!("a number between {} and {}, as 1.5", show_milli(min), show_milli(max)))
                })
            }
            Shape::Duration => {
                duration_ms(text).map(Value::Ms).ok_or_else(|| wrong("a time, as 90s, 10m, 1h30m or 90d"))
            }
            Shape::Size => ByteSize::from_str(text)
                .ok()
                .filter(|size| size.as_u64() > 0)
                .map(|size| Value::Bytes(size.as_u64()))
                .ok_or_else(|| wrong("a size, as 512MB or 8GiB")),
        }
    }
}

/// Characters of an nkey seed: `S`, whose it is, and 56 more of base32 (github.com/nats-io/nkeys).
const SEED_CHARS: usize = 58;

/// Whether a credential itself stands where it should say where one is kept: an address that is a secret, a seed, what is
/// in a `.creds` file or a key's.
fn is_pasted(text: &str) -> bool {
    let is_seed = |word: &str| {
        let is_base32 = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
        let whose = word.strip_prefix('S').and_then(|rest| rest.bytes().next());
        word.len() == SEED_CHARS && whose.is_some_and(|whose| b"UAOCNX".contains(&whose)) && word.bytes().all(is_base32)
    };
    text.contains("://") || text.contains("-----BEGIN") || text.split(|c: char| !c.is_ascii_alphanumeric()).any(is_seed)
}

/// Reads a time longer than nothing, in milliseconds.
pub(crate) fn duration_ms(text: &str) -> Option<u64> {
    let in_days = || {
        let span: jiff::Span = text.parse().ok()?;
        span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()
    };
    let duration: jiff::SignedDuration = text.parse().ok().or_else(in_days)?;
    u64::try_from(duration.as_millis()).ok().filter(|ms| *ms > 0)
}

/// Reads a number with decimals, in thousandths; more than three decimals are none.
fn milli(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 3 {
        return None;
    }
    let part: u64 = format!("{part:0<3}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(part)
}

/// Thousandths as a number with as many decimals as it needs.
fn show_milli(milli: u64) -> String {
    let (whole, part) = (milli / 1_000, milli % 1_000);
    if part == 0 {
        return whole.to_string();
    }
    format!("{whole}.{part:03}").trim_end_matches('0').to_owned()
}

impl Value {
    /// As it is written into `regatta.toml`: with everything, also what is shown to nobody.
    pub(crate) fn to_file(&self) -> String {
        match self {
            Self::Address(address) => toml::Value::String(address.clone()).to_string(),
            Self::Unset
            | Self::Text(_)
            | Self::Flag(_)
            | Self::Count(_)
            | Self::Milli(_)
            | Self::Ms(_)
            | Self::Bytes(_)
            | Self::List(_) => self.to_toml(),
        }
    }

    /// As it would stand in `regatta.toml`; of an address, without its password.
    pub(crate) fn to_toml(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        match self {
            Self::Unset => "(unset)".to_owned(),
            Self::Text(text) => quoted(text),
            Self::Address(address) => quoted(&redacted(address)),
            Self::Flag(flag) => flag.to_string(),
            Self::Count(count) => count.to_string(),
            Self::Milli(milli) => show_milli(*milli),
            Self::Ms(ms) => quoted(&show_ms(*ms)),
            Self::Bytes(bytes) => quoted(&ByteSize::b(*bytes).display().iec().to_string()),
            Self::List(texts) => format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Milliseconds as `1h 30m`.
fn show_ms(ms: u64) -> String {
    let duration = jiff::SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    format!("{duration:#}")
}
