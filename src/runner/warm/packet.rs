//! What is said between a peer and a template: fields separated by NUL, which no name and no path can hold.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;

/// `CLD_EXITED` of `waitid`.
const EXITED: i32 = 1;
/// `CLD_DUMPED` of `waitid`.
const DUMPED: i32 = 3;
/// The bit of a wait status that tells of a core dump.
const CORE: i32 = 0x80;

/// What a template says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It may be forked.
    Ready,
    /// It can be no template of this kind.
    Unfit(String),
    /// The script of this request is about to begin in this process.
    Began {
        /// The request.
        id: u64,
        /// The process, which leads a group of its own.
        pid: i32,
    },
    /// The script of this request did not begin.
    Cold {
        /// The request.
        id: u64,
        /// Why.
        why: String,
    },
    /// This process ended; its number is free when it was reaped.
    Ended {
        /// The process.
        pid: i32,
        /// How.
        status: ExitStatus,
    },
}

impl Said {
    /// Takes a packet apart; `None` for one that no template of ours sends.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(packet);
        let fields: Vec<&str> = text.splitn(4, '\0').collect();
        Some(match *fields {
            ["ready"] => Self::Ready,
            ["unfit", why] => Self::Unfit(why.to_owned()),
            ["began", id, pid] => Self::Began {
                id: id.parse().ok()?,
                pid: pid.parse().ok()?,
            },
            ["cold", id, why] => Self::Cold {
                id: id.parse().ok()?,
                why: why.to_owned(),
            },
            ["ended", pid, code, status] => Self::Ended {
                pid: pid.parse().ok()?,
                status: status_of(code.parse().ok()?, status.parse().ok()?),
            },
            _ => return None,
        })
    }
}

/// The wait status that says the same as these two of `waitid`.
fn status_of(code: i32, status: i32) -> ExitStatus {
    ExitStatus::from_raw(match code {
        EXITED => (status & 0xff) << 8,
        DUMPED => status | CORE,
        _ => status,
    })
}

/// A script to begin.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The folder that it runs in.
    pub folder: &'a Path,
    /// Where it leaves word of what it imported, if that is to be known.
    pub report: Option<&'a Path>,
    /// What its environment has that the template's has not.
    pub env: &'a [(OsString, OsString)],
    /// The script's file and its arguments.
    pub arguments: &'a [OsString],
}

impl Order<'_> {
    /// The packet that asks for it.
    pub fn packet(&self, id: u64) -> Vec<u8> {
        let (id, count) = (id.to_string(), self.env.len().to_string());
        let report = self.report.map(Path::as_os_str).unwrap_or_default();
        let head = [
            OsStr::new("run"),
            OsStr::new(&id),
            self.folder.as_os_str(),
            report,
            OsStr::new(&count),
        ];
        let env = self
            .env
            .iter()
            .flat_map(|(name, value)| [&**name, &**value]);
        let arguments = self.arguments.iter().map(|argument| &**argument);
        joined(head.into_iter().chain(env).chain(arguments))
    }
}

/// The first packet: what to import.
pub fn preload(modules: &[String]) -> Vec<u8> {
    joined(
        ["preload"]
            .into_iter()
            .chain(modules.iter().map(|name| &**name))
            .map(OsStr::new),
    )
}

/// The number of an ended process may be used again.
pub fn reap(pid: i32) -> Vec<u8> {
    format!("reap\0{pid}").into_bytes()
}

fn joined<'a>(fields: impl Iterator<Item = &'a OsStr>) -> Vec<u8> {
    let fields: Vec<&[u8]> = fields.map(OsStr::as_bytes).collect();
    fields.join(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_template_says_is_understood() {
        let began = Said::Began { id: 7, pid: 4711 };
        assert_eq!(Said::parse(b"began\x007\x004711"), Some(began));
        let cold = Said::Cold {
            id: 7,
            why: "SyntaxError: no".into(),
        };
        assert_eq!(Said::parse(b"cold\x007\0SyntaxError: no"), Some(cold));
        assert_eq!(Said::parse(b"ready"), Some(Said::Ready));
        for nonsense in [
            &b""[..],
            b"ready\0?",
            b"began\0x\x001",
            b"ended\x001\x002",
            b"\xff",
        ] {
            assert_eq!(Said::parse(nonsense), None);
        }
    }

    #[test]
    fn an_end_is_told_as_wait_tells_it() {
        let of = |packet: &[u8]| match Said::parse(packet) {
            Some(Said::Ended { pid: 9, status }) => status,
            other => panic!("{other:?}"),
        };
        assert_eq!(of(b"ended\x009\x001\x003").code(), Some(3));
        assert_eq!(of(b"ended\x009\x001\x00255").code(), Some(255));
        assert_eq!(of(b"ended\x009\x002\x009").signal(), Some(9));
        let dumped = of(b"ended\x009\x003\x0011");
        assert!(dumped.signal() == Some(11) && dumped.core_dumped());
    }

    #[test]
    fn an_order_keeps_every_byte() {
        let order = Order {
            folder: Path::new(OsStr::from_bytes(b"/w/\xff")),
            report: None,
            env: &[("A".into(), "".into())],
            arguments: &["main.py".into(), "x y".into()],
        };
        assert_eq!(
            order.packet(5),
            b"run\x005\0/w/\xff\0\x001\0A\0\0main.py\0x y"
        );
    }
}
