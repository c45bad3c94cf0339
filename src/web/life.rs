//! How long a connection that speaks HTTP is kept.
//!
//! Rule: as long as bytes move on it. One that is quiet may wait for an answer, so it is kept for longer than any takes; but
//! one whose other side has closed its own half has most likely hung up, and the place that it takes is another's.

use std::time::Duration;

use mutirao_actors::connection::{Counted, Moved};
use tokio::time::sleep;

/// How often it is looked whether bytes have moved.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Looks in a row without a byte after which a connection is cut: longer than any answer takes, or a quiet one is kept.
const STILL_LOOKS_MAX: u32 = 3;
/// How long nothing may move once the other side has closed its half: some programs do so and wait for their answer, which
/// seldom takes seconds, or for events, where a comment comes every 15 s. It is looked in steps of this, so a byte that moves
/// behind a look makes it up to twice as long.
const GONE_AFTER: Duration = Duration::from_secs(20);

/// What is noticed of a connection.
pub struct Life(Moved);

/// Watches a connection.
pub fn watched<S>(stream: S) -> (Counted<S>, Life) {
    let moved = Moved::default();
    (Counted::new(stream, moved.clone()), Life(moved))
}

impl Life {
    /// Comes back when it is to be cut; in words, why.
    pub async fn end(&self) -> &'static str {
        tokio::select! {
            () = self.still() => "nothing moves on it",
            () = self.gone() => "its other side has hung up",
        }
    }

    /// Comes back when no byte has moved for some looks.
    async fn still(&self) {
        let (mut before, mut looks) = (0, 0);
        while looks < STILL_LOOKS_MAX {
            sleep(LOOK_EVERY).await;
            let now = self.0.bytes();
            looks = if now == before { looks + 1 } else { 0 };
            before = now;
        }
    }

    /// Comes back when the other side has closed its half, and nothing has moved for a while.
    async fn gone(&self) {
        self.0.end().await;
        loop {
            let before = self.0.bytes();
            sleep(GONE_AFTER).await;
            if self.0.bytes() == before {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::timeout;

    use super::*;

    /// A connection that is watched, and its other side.
    fn connection() -> (Counted<DuplexStream>, Life, DuplexStream) {
        let (here, there) = duplex(64);
        let (here, life) = watched(here);
        (here, life, there)
    }

    /// Some bytes move, again and again.
    async fn moves(here: &mut Counted<DuplexStream>, every: Duration) {
        for _ in 0..5 {
            here.write_all(b"a").await.unwrap();
            sleep(every).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_stands_still_when_no_byte_moves_for_three_looks() {
        let (mut here, life, _there) = connection();
        let mut end = pin!(life.end());
        tokio::select! {
            why = &mut end => panic!("{why}"),
            () = moves(&mut here, 2 * LOOK_EVERY) => {}
        }
        let ended = timeout(4 * LOOK_EVERY, end).await;
        assert_eq!(ended, Ok("nothing moves on it"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_closed_its_half_is_gone_once_it_takes_nothing() {
        let (mut here, life, mut there) = connection();
        there.shutdown().await.unwrap();
        assert_eq!(here.read(&mut [0]).await.unwrap(), 0);
        let mut end = pin!(life.end());
        tokio::select! {
            why = &mut end => panic!("{why}"),
            () = moves(&mut here, GONE_AFTER / 2) => {}
        }
        let ended = timeout(2 * GONE_AFTER, end).await;
        assert_eq!(ended, Ok("its other side has hung up"));
    }
}
