//! Every socket of the program is opened here.
//!
//! Rule: whatever else needs the network is given a socket, a stream or a channel, so that a test gives it another.

pub mod begun;
pub mod net;
pub mod places;
pub mod seats;
pub mod tcp;
pub mod udp;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Why a socket could not be opened or connected.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another program listens there.
    #[error(
        "{protocol} port {port} is taken by another program: `ss -anp 'sport = :{port}'` tells which; \
         stop it, or give another port with {flag}"
    )]
    Taken {
        /// `TCP` or `UDP`.
        protocol: &'static str,
        /// The port that was asked for.
        port: u16,
        /// The flag with which to choose another.
        flag: &'static str,
    },
    /// The system does not open it.
    #[error("failed to open {protocol} port {port}: {error}")]
    Open {
        /// `TCP` or `UDP`.
        protocol: &'static str,
        /// The port that was asked for; 0 means any.
        port: u16,
        /// What the system said.
        error: io::Error,
    },
    /// Nobody took the connection.
    #[error("failed to connect to {to}: {error}")]
    Dial {
        /// Whom.
        to: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// Neither yes nor no came in time.
    #[error(
        "failed to connect to {to}: no answer within {} s; is it on, and does its firewall let TCP port {} in?",
        within.as_secs_f32(), to.port()
    )]
    Silent {
        /// Whom.
        to: SocketAddr,
        /// How long was waited.
        within: Duration,
    },
}

impl SocketError {
    /// What it means that a port could not be opened.
    fn opening(protocol: &'static str, port: u16, flag: &'static str, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::Taken {
                protocol,
                port,
                flag,
            },
            _ => Self::Open {
                protocol,
                port,
                error,
            },
        }
    }
}
