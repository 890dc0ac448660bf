//! The load generator's own HTTP/1.1 client: one connection, one request at a time, no work that is not
//! needed. What it costs is time that the measured processes do not have.

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Largest head and largest body of an answer.
const HEAD_BYTES_MAX: usize = 16 << 10;
const BODY_BYTES_MAX: usize = 1 << 20;
/// Most header lines of an answer.
const HEADERS_MAX: usize = 48;

/// Where requests go.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Host and port.
    authority: String,
    token: String,
}

impl Target {
    /// The server at `url`, such as `http://127.0.0.1:8000`.
    pub(super) fn new(url: &str, token: &str) -> Result<Self> {
        let rest = url
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'));
        let Some(authority) = rest.filter(|rest| !rest.contains('/')) else {
            bail!("expected a URL http://host:port without a path, got {url:?}");
        };
        Ok(Self {
            authority: authority.to_owned(),
            token: token.to_owned(),
        })
    }

    /// The bytes of a request with a JSON body.
    pub(super) fn post(&self, path: &str, body: &str) -> Vec<u8> {
        let Self { authority, token } = self;
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(&self.authority).await;
        let stream = stream.with_context(|| format!("cannot connect to {}", self.authority))?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            buffer: Vec::with_capacity(4 << 10),
        })
    }
}

/// An open connection.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Sends a request and reads its answer: the status and the body.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (status, start, length) = loop {
            self.read().await?;
            if let Some(head) = read_head(&self.buffer)? {
                break head;
            }
            ensure!(
                self.buffer.len() < HEAD_BYTES_MAX,
                "an answer's head is too long"
            );
        };
        ensure!(length <= BODY_BYTES_MAX, "an answer has {length} bytes");
        while self.buffer.len() < start + length {
            self.read().await?;
        }
        Ok((status, &self.buffer[start..start + length]))
    }

    async fn read(&mut self) -> Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the server closed the connection");
        Ok(())
    }
}

/// An answer's status, where its body starts, and how long that is; nothing while the head is not whole.
fn read_head(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = answer.parse(bytes)? else {
        return Ok(None);
    };
    let length = answer
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse().ok())
        .context("an answer does not say how long it is")?;
    let status = answer.code.context("an answer without a status")?;
    Ok(Some((status, start, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_its_head_is_whole() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        for end in 0..38 {
            assert_eq!(read_head(&answer[..end]).unwrap(), None, "{end}");
        }
        assert_eq!(read_head(answer).unwrap(), Some((200, 38, 2)));
        assert!(read_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(read_head(b"SMTP\r\n\r\n").is_err());
    }
}
