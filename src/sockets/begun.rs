//! A connection of which some has been read already.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use mutirao_actors::master_session::Duplex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// What is read to tell what is spoken: most first messages whole, so that they cost no second read.
const FIRST_READ: usize = 4096;

/// How requests of HTTP begin (RFC 9110, RFC 5789).
const METHODS: [&str; 9] = [
    "GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ", "PATCH ",
];

/// A connection whose first bytes are known: they are read first.
pub struct Begun {
    first: Bytes,
    rest: Box<dyn Duplex>,
}

impl Begun {
    /// Reads the first bytes; none of them if the other side has closed.
    ///
    /// # Errors
    /// What reading says.
    pub async fn read(mut stream: Box<dyn Duplex>) -> io::Result<Self> {
        let mut first = Vec::with_capacity(FIRST_READ);
        stream.read_buf(&mut first).await?;
        Ok(Self {
            first: first.into(),
            rest: stream,
        })
    }

    /// Whether the other side has closed without a word.
    pub fn is_over(&self) -> bool {
        self.first.is_empty()
    }

    /// Whether it begins as HTTP does, as far as that can be told from what has come.
    pub fn speaks_http(&self) -> bool {
        METHODS.iter().any(|method| {
            let known = self.first.len().min(method.len());
            self.first[..known] == method.as_bytes()[..known]
        })
    }
}

impl AsyncRead for Begun {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.first.is_empty() {
            return Pin::new(&mut this.rest).poll_read(context, buffer);
        }
        let read = this.first.len().min(buffer.remaining());
        buffer.put_slice(&this.first[..read]);
        this.first.advance(read);
        if this.first.is_empty() {
            // What is empty still holds its memory.
            this.first = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().rest).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().rest).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.rest.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().rest).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().rest).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt as _, duplex};

    #[tokio::test]
    async fn what_was_read_first_is_read_once_and_the_rest_behind_it() {
        let (near, mut far) = duplex(FIRST_READ * 4);
        let sent: Vec<u8> = (0..FIRST_READ * 3).map(|n| n as u8).collect();
        far.write_all(&sent).await.unwrap();
        let mut begun = Begun::read(Box::new(near)).await.unwrap();
        assert!(!begun.is_over() && !begun.speaks_http());
        begun.write_all(b"pong").await.unwrap();
        let mut pong = [0; 4];
        far.read_exact(&mut pong).await.unwrap();
        assert_eq!(&pong, b"pong");
        drop(far);
        let mut heard = Vec::new();
        begun.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, sent);
    }

    #[tokio::test]
    async fn one_that_is_closed_at_once_begins_with_nothing() {
        let (near, far) = duplex(8);
        drop(far);
        let begun = Begun::read(Box::new(near)).await.unwrap();
        assert!(begun.is_over());
    }

    #[tokio::test]
    async fn http_is_told_by_its_methods() {
        let cases = [
            ("GET / HTTP/1.1\r\n", true),
            ("P", true),
            ("OPTIONS * HTTP/1.1", true),
            ("{\"action\":\"GET \"}", false),
            ("GETTING", false),
            ("HELLO", false),
            (" GET /", false),
        ];
        for (words, is_http) in cases {
            let (near, mut far) = duplex(64);
            far.write_all(words.as_bytes()).await.unwrap();
            let begun = Begun::read(Box::new(near)).await.unwrap();
            assert_eq!(begun.speaks_http(), is_http, "{words}");
        }
    }
}
