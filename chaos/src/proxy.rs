//! Stands between a peer and its master, and cuts their connection at a chosen place, once.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What is carried at once: small, so that a cut is as exact as it has to be.
const PART: usize = 256;
/// How a master begins its answer to a result that it took.
const OK: &[u8] = br#""status":"OK""#;

/// Where to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// When the peer has sent so many bytes over one connection; no byte beyond is carried.
    AfterSent(usize),
    /// When the master has answered OK, which the peer does not hear.
    BeforeOk,
}

/// A proxy that listens for as long as the program runs.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    plan: Arc<Mutex<Option<Cut>>>,
}

impl Proxy {
    /// Carries whatever comes to the master at this address.
    pub fn before(master: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let proxy = Self {
            address: listener.local_addr()?,
            plan: Arc::default(),
        };
        let own = proxy.clone();
        thread::spawn(move || {
            for peer in listener.incoming().flatten() {
                // A master that is away refuses, and so do we by hanging up.
                if let Ok(master) = TcpStream::connect(master) {
                    own.carry(&peer, &master);
                }
            }
        });
        Ok(proxy)
    }

    /// Cuts there, once.
    pub fn arm(&self, cut: Cut) {
        *self.plan() = Some(cut);
    }

    /// Whether the cut that it was armed for was made.
    pub fn has_cut(&self) -> bool {
        self.plan().is_none()
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Option<Cut>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry(&self, peer: &TcpStream, master: &TcpStream) {
        let ways = [(peer, master, true), (master, peer, false)];
        for (from, to, is_from_peer) in ways {
            let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else {
                return;
            };
            let own = self.clone();
            thread::spawn(move || {
                own.carry_one_way(&from, &to, is_from_peer);
                // Either end is told, in both directions.
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    }

    fn carry_one_way(&self, mut from: &TcpStream, mut to: &TcpStream, is_from_peer: bool) {
        let (mut carried, mut last) = (0, Vec::new());
        let mut part = [0; PART];
        while let Ok(read @ 1..) = from.read(&mut part) {
            let part = part.get(..read).unwrap_or_default();
            // The word may lie across two parts.
            last.extend_from_slice(part);
            let allowed = self.allowed(carried, &last, read, is_from_peer);
            last.drain(..last.len().saturating_sub(OK.len()));
            carried += allowed;
            let is_sent = to
                .write_all(part.get(..allowed).unwrap_or_default())
                .is_ok();
            if !is_sent || allowed < read {
                return;
            }
        }
    }

    /// How many of the bytes that came may be carried; fewer than came where the cut is.
    fn allowed(&self, carried: usize, last: &[u8], read: usize, is_from_peer: bool) -> usize {
        let mut plan = self.plan();
        let allowed = match *plan {
            Some(Cut::AfterSent(most)) if is_from_peer => read.min(most.saturating_sub(carried)),
            Some(Cut::BeforeOk) if !is_from_peer && last.windows(OK.len()).any(|at| at == OK) => 0,
            _ => read,
        };
        if allowed < read {
            *plan = None;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What arrives of what both sides say through a proxy that is armed so.
    fn carried(cut: Cut, said: &[u8], answered: &[u8]) -> (Vec<u8>, Vec<u8>, bool) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::before(listener.local_addr().unwrap()).unwrap();
        proxy.arm(cut);
        let mut peer = TcpStream::connect(proxy.address).unwrap();
        let mut master = listener.accept().unwrap().0;
        peer.write_all(said).unwrap();
        let (mut heard, mut heard_back) = (vec![0; said.len()], Vec::new());
        let mut length = 0;
        while length < said.len()
            && let Ok(read @ 1..) = master.read(&mut heard[length..])
        {
            length += read;
        }
        heard.truncate(length);
        // It fails when the cut was made.
        let _ = master.write_all(answered);
        let _ = master.shutdown(Shutdown::Both);
        let _ = peer.read_to_end(&mut heard_back);
        (heard, heard_back, proxy.has_cut())
    }

    #[test]
    fn no_byte_beyond_the_cut_is_carried() {
        let said = vec![b'x'; 5000];
        let (heard, ..) = carried(Cut::AfterSent(1111), &said, b"");
        assert_eq!(heard.len(), 1111);
        let (heard, _, has_cut) = carried(Cut::AfterSent(5000), &said, b"");
        assert_eq!((heard.len(), has_cut), (5000, false));
    }

    #[test]
    fn an_ok_is_not_heard_and_other_answers_are() {
        let ok = br#"{"status":"OK"}"#;
        let (heard, back, has_cut) = carried(Cut::BeforeOk, b"result", ok);
        assert_eq!(
            (heard.as_slice(), back.as_slice(), has_cut),
            (&b"result"[..], &b""[..], true)
        );
        let other = br#"{"status":"ALIVE"}"#;
        let (_, back, has_cut) = carried(Cut::BeforeOk, b"beat", other);
        assert_eq!((back.as_slice(), has_cut), (&other[..], false));
    }
}
