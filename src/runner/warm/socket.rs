//! One end of a pair of sockets that keep packets whole and carry open files.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net;

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// Longest packet that is heard, in bytes: a template gives its reasons in a thousand.
const HEARD_MAX: usize = 4096;

/// Our end. The standard library has no type for sockets that keep packets whole and yet tell when the other end is
/// closed; one for datagrams makes the same calls.
#[derive(Debug)]
pub struct Socket(UnixDatagram);

impl Socket {
    /// A pair: ours, and the other for a child's standard input.
    ///
    /// # Errors
    /// When there are too many open files.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (kind, flags) = (SockType::SeqPacket, SockFlag::SOCK_CLOEXEC);
        let (ours, theirs) = socketpair(AddressFamily::Unix, kind, None, flags)?;
        let ours = net::UnixDatagram::from(ours);
        ours.set_nonblocking(true)?;
        Ok((Self(UnixDatagram::from_std(ours)?), theirs))
    }

    /// Sends a packet, with open files that the other end then has as well.
    ///
    /// # Errors
    /// When the other end is closed or the packet is longer than the system carries.
    pub async fn send(&self, packet: &[u8], files: &[OwnedFd]) -> io::Result<()> {
        let send = || self.try_send(packet, files);
        self.0.async_io(Interest::WRITABLE, send).await
    }

    /// The same, unless it would have to wait.
    ///
    /// # Errors
    /// As [`send`](Self::send), and when it would have to wait.
    pub fn try_send(&self, packet: &[u8], files: &[OwnedFd]) -> io::Result<()> {
        let files: Vec<_> = files.iter().map(|file| file.as_raw_fd()).collect();
        let rights = [ControlMessage::ScmRights(&files)];
        let rights = if files.is_empty() {
            &rights[..0]
        } else {
            &rights
        };
        let (socket, flags) = (self.0.as_raw_fd(), MsgFlags::MSG_NOSIGNAL);
        sendmsg::<()>(socket, &[IoSlice::new(packet)], rights, flags, None)?;
        Ok(())
    }

    /// The next packet; empty when the other end is closed.
    ///
    /// # Errors
    /// When the other end went away with packets unread.
    pub async fn receive(&self) -> io::Result<Vec<u8>> {
        let mut packet = vec![0; HEARD_MAX];
        let length = self.0.recv(&mut packet).await?;
        packet.truncate(length);
        Ok(packet)
    }

    /// Tells the other end that nothing more comes; it can still be heard.
    pub fn close(&self) {
        // One that is gone needs not be told.
        let _ = self.0.shutdown(Shutdown::Write);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};

    use super::*;

    #[tokio::test]
    async fn packets_stay_apart_and_their_end_is_heard() {
        let (ours, theirs) = Socket::pair().unwrap();
        let mut theirs = File::from(theirs);
        theirs.write_all(b"one").unwrap();
        theirs.write_all(b"two").unwrap();
        assert_eq!(ours.receive().await.unwrap(), b"one");
        ours.send(b"three", &[]).await.unwrap();
        ours.close();
        let mut heard = [0; 9];
        assert_eq!(theirs.read(&mut heard).unwrap(), 5);
        assert_eq!(theirs.read(&mut heard).unwrap(), 0);
        assert_eq!(ours.receive().await.unwrap(), b"two");
        drop(theirs);
        assert_eq!(ours.receive().await.unwrap_or_default(), b"");
        assert!(ours.send(b"four", &[]).await.is_err());
    }
}
