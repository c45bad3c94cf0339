//! Pieces of a result on their way to a reader who may not read.
//!
//! Rule: a result is held no longer than somebody reads it. Who takes nothing for a while is cut, who hangs up is noticed,
//! and then what the pieces come from is dropped, and with it the room that it takes.

use std::io;
use std::pin::pin;
use std::time::Duration;

use actix_web::rt::spawn;
use actix_web::web::Bytes;
use futures_util::Stream;
use futures_util::stream::{StreamExt as _, poll_fn, unfold};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a piece may wait for its reader: as long as a connection of peers may stand still.
const STILL_MAX: Duration = Duration::from_secs(30);

/// The pieces for one reader.
pub(super) struct Fed<T>(mpsc::Receiver<Option<T>>);

impl<T: 'static> Fed<T> {
    /// Those of a stream, one of which waits here.
    pub fn from(pieces: impl Stream<Item = T> + 'static) -> Self {
        let (give, taken) = mpsc::channel(1);
        spawn(async move {
            let mut pieces = pin!(pieces);
            loop {
                let next = tokio::select! {
                    biased;
                    () = give.closed() => return,
                    next = pieces.next() => next,
                };
                let is_last = next.is_none();
                let given = timeout(STILL_MAX, give.send(next)).await;
                if is_last || !matches!(given, Ok(Ok(()))) {
                    return;
                }
            }
        });
        Self(taken)
    }

    /// The next one; none when that was all.
    ///
    /// # Errors
    /// When the reader was cut.
    pub async fn next(&mut self) -> io::Result<Option<T>> {
        let cut = || {
            let why = format!("nothing was read for {} s", STILL_MAX.as_secs());
            io::Error::new(io::ErrorKind::TimedOut, why)
        };
        self.0.recv().await.ok_or_else(cut)
    }
}

impl Fed<io::Result<Bytes>> {
    /// A body, which breaks off where something went wrong or the reader was cut: whoever reads it sees that it is not
    /// whole.
    pub fn body(self) -> impl Stream<Item = io::Result<Bytes>> {
        unfold(Some(self), async |fed| {
            let mut fed = fed?;
            match fed.next().await {
                Ok(Some(Ok(piece))) => Some((Ok(piece), Some(fed))),
                Ok(None) => None,
                Ok(Some(Err(error))) | Err(error) => Some((Err(error), None)),
            }
        })
    }
}

/// What comes through a channel.
pub(super) fn through<T>(mut pieces: mpsc::Receiver<T>) -> impl Stream<Item = T> {
    poll_fn(move |context| pieces.poll_recv(context))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::future;
    use futures_util::stream::{iter, once, repeat_with};
    use tokio::task::LocalSet;
    use tokio::time::sleep;

    use super::*;

    /// Pieces without end, which hold something.
    fn endless(held: Arc<()>) -> Fed<io::Result<Bytes>> {
        let piece = move || Ok(Bytes::from(vec![0; Arc::strong_count(&held)]));
        Fed::from(repeat_with(piece))
    }

    async fn is_dropped(held: &Arc<()>) {
        while Arc::strong_count(held) > 1 {
            sleep(Duration::from_millis(100)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_for_a_while_is_cut_and_holds_nothing() {
        let held = Arc::new(());
        let play = async {
            let mut body = Box::pin(endless(Arc::clone(&held)).body());
            for _ in 0..5 {
                assert!(body.next().await.unwrap().is_ok());
                sleep(STILL_MAX - Duration::from_secs(1)).await;
            }
            assert_eq!(Arc::strong_count(&held), 2, "who reads slowly is not cut");
            let dropped = timeout(2 * STILL_MAX, is_dropped(&held)).await;
            assert!(dropped.is_ok());
            assert!(body.next().await.unwrap().is_ok(), "what waited");
            let cut = body.next().await.unwrap().unwrap_err();
            assert_eq!(cut.kind(), io::ErrorKind::TimedOut);
            assert!(body.next().await.is_none());
        };
        LocalSet::new().run_until(play).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_up_is_noticed_though_nothing_comes() {
        let held = Arc::new(());
        let play = async {
            let holds = Arc::clone(&held);
            let never = once(async move {
                let _holds = holds;
                future::pending::<()>().await;
            });
            let fed = Fed::from(never);
            sleep(Duration::from_secs(1)).await;
            assert_eq!(Arc::strong_count(&held), 2);
            drop(fed);
            let dropped = timeout(Duration::from_secs(1), is_dropped(&held)).await;
            assert!(dropped.is_ok());
        };
        LocalSet::new().run_until(play).await;
    }

    #[tokio::test]
    async fn what_ends_is_whole() {
        let play = async {
            let pieces = ["a", "b"].map(|piece| Ok(Bytes::from(piece)));
            let body = Fed::from(iter(pieces)).body();
            let whole: Vec<_> = body.map(Result::unwrap).collect().await;
            assert_eq!(whole, ["a", "b"]);
        };
        LocalSet::new().run_until(play).await;
    }
}
