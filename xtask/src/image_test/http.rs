//! One HTTP request to a port of this machine, without a library.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// How long an answer may take: a backend answers a ballot in two seconds at the latest.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What came back.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Byte for byte.
    pub(super) text: String,
    /// The same as JSON, where it is JSON.
    pub(super) body: Value,
}

/// Sends a request and reads the whole answer. HTTP/1.0, so that the answer comes in one piece and
/// ends with the connection.
pub(super) fn send(
    port: u16,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Result<Answer> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut request = format!("{method} {path} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\n");
    if let Some(token) = token {
        request += &format!("authorization: Bearer {token}\r\n");
    }
    if !body.is_empty() {
        request += &format!(
            "content-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
    }
    request += "\r\n";
    stream.write_all(request.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    parse(&answer).with_context(|| format!("in the answer to {method} {path}: {answer:?}"))
}

fn parse(answer: &str) -> Result<Answer> {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("expected a head and a body")?;
    let status = head.split(' ').nth(1).context("expected a status")?;
    Ok(Answer {
        status: status.parse().context("expected a number as status")?,
        text: body.to_owned(),
        body: serde_json::from_str(body).unwrap_or_else(|_| json!(body)),
    })
}

/// Calls a JSON-RPC method of a validator.
pub(super) fn call(port: u16, method: &str, params: Value) -> Result<Value> {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let mut answer = send(port, "POST", "/", None, Some(&request))?;
    match answer.body.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => bail!("{method} answered {}: {}", answer.status, answer.body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_to_its_end() {
        let answer =
            parse("HTTP/1.0 201 Created\r\nx: y\r\n\r\n{\"status\":\"confirmed\"}").unwrap();
        assert_eq!(answer.status, 201);
        assert_eq!(answer.text, "{\"status\":\"confirmed\"}");
        assert_eq!(answer.body, json!({"status": "confirmed"}));
        assert_eq!(parse("HTTP/1.0 503 No\r\n\r\n").unwrap().body, json!(""));
        assert!(parse("HTTP/1.0 201 Created\r\n").is_err());
    }
}
