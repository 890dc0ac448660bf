//! A small HTTP/1.1 client: one kept-alive connection, bounded answers, little work per request.
//!
//! It serves the load generator, whose own cost must not blur what it measures, and every other
//! command that calls a Tabella process. Tabella speaks plain HTTP; TLS ends at the operator's proxy, which is called by
//! `https`, with the certificates that this machine trusts.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{HeaderMap, Method, Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a call brought no answer. Whether the server acted on it is unknown.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is not one this client can call.
    #[error("expected a URL http://host:port or https://host without a path, got {0:?}")]
    BadUrl(String),
    /// No connection.
    #[error("cannot connect to {0}: {1}; start what runs there, or give another address")]
    Connect(String, std::io::Error),
    /// The connection broke, or what came was not HTTP.
    #[error("no answer from {0}: {1}")]
    Broken(String, String),
    /// Nothing came in time.
    #[error("no answer from {0} within {1:?}")]
    Timeout(String, Duration),
}

/// An answer of any status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The value of a header; empty where it is none, or no text.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as what it should be.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as text for an error message, cut short.
    pub fn excerpt(&self) -> String {
        String::from_utf8_lossy(&self.body)
            .chars()
            .take(600)
            .collect()
    }
}

/// A client of one server. Calls are answered one after another on one connection.
#[derive(Debug)]
pub struct Client {
    /// Host and port.
    authority: String,
    /// Where it is called by `https`.
    tls: Option<Arc<ClientConfig>>,
    token: Option<String>,
    /// The languages that pages are asked in.
    language: Option<String>,
    timeout: Duration,
    connection: Option<http1::SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client of the server at `url`; it connects with the first call.
    pub fn new(url: &str) -> Result<Self, HttpError> {
        let schemes = [("http://", 80), ("https://", 443)];
        let mut schemes = schemes.into_iter().filter_map(|(scheme, port)| {
            let rest = url.strip_prefix(scheme)?;
            Some((rest.strip_suffix('/').unwrap_or(rest), port))
        });
        let (authority, port) = schemes
            .next()
            .filter(|(rest, _)| !rest.is_empty() && !rest.contains('/'))
            .ok_or_else(|| HttpError::BadUrl(url.to_owned()))?;
        let authority = match authority.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
            _ => format!("{authority}:{port}"),
        };
        let tls = url.starts_with("https://").then(trusting_this_machine);
        Ok(Self {
            authority,
            tls,
            token: None,
            language: None,
            timeout: Duration::from_secs(30),
            connection: None,
        })
    }

    /// Sends `token` as bearer with every call.
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Sends `token` as bearer from now on.
    pub fn set_token(&mut self, token: &str) {
        self.token = Some(token.to_owned());
    }

    /// Asks for pages from now on, as a browser of a reader of this language does.
    pub fn as_reader_of(&mut self, language: &str) {
        self.language = Some(language.to_owned());
    }

    /// Waits at most this long for each answer.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// `GET path`
    pub async fn get(&mut self, path: &str) -> Result<Answer, HttpError> {
        self.call(Method::GET, path, None, Bytes::new()).await
    }

    /// `DELETE path`
    pub async fn delete(&mut self, path: &str) -> Result<Answer, HttpError> {
        self.call(Method::DELETE, path, None, Bytes::new()).await
    }

    /// `POST path` with a JSON body.
    pub async fn post(&mut self, path: &str, body: &impl Serialize) -> Result<Answer, HttpError> {
        let body = serde_json::to_vec(body).expect("plain data serialises");
        self.call(Method::POST, path, Some("application/json"), body.into())
            .await
    }

    /// `POST path` with any body.
    pub async fn post_bytes(
        &mut self,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, HttpError> {
        self.call(Method::POST, path, Some(content_type), body.into())
            .await
    }

    async fn call(
        &mut self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Bytes,
    ) -> Result<Answer, HttpError> {
        let timeout = self.timeout;
        match tokio::time::timeout(timeout, self.exchange(method, path, content_type, body)).await {
            Ok(answer) => answer,
            Err(_) => {
                // The answer may still come; a fresh connection keeps it from being taken for the next.
                self.connection = None;
                Err(HttpError::Timeout(self.authority.clone(), timeout))
            }
        }
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Bytes,
    ) -> Result<Answer, HttpError> {
        let mut connection = self.connection().await?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.authority);
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(language) = &self.language {
            request = request
                .header(header::ACCEPT, "text/html,*/*;q=0.8")
                .header(header::ACCEPT_LANGUAGE, language);
        }
        let broken = |error: &dyn std::fmt::Display| {
            HttpError::Broken(self.authority.clone(), error.to_string())
        };
        let request = request
            .body(Full::new(body))
            .map_err(|error| broken(&error))?;
        let response = connection
            .send_request(request)
            .await
            .map_err(|error| broken(&error))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| broken(&error))?
            .to_bytes();
        self.connection = Some(connection);
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    /// The open connection, or a new one where the server has closed it.
    async fn connection(&mut self) -> Result<http1::SendRequest<Full<Bytes>>, HttpError> {
        if let Some(mut open) = self.connection.take()
            && open.ready().await.is_ok()
        {
            return Ok(open);
        }
        self.connect().await
    }

    async fn connect(&self) -> Result<http1::SendRequest<Full<Bytes>>, HttpError> {
        let opening = TcpStream::connect(&self.authority);
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, opening)
            .await
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
            .map_err(|error| HttpError::Connect(self.authority.clone(), error))?;
        // Small requests must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let Some(config) = &self.tls else {
            return self.speak(stream).await;
        };
        let host = self.authority.rsplit_once(':').map_or("", |(host, _)| host);
        let host = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host)
            .map_err(|error| HttpError::Broken(self.authority.clone(), error.to_string()))?;
        let stream = TlsConnector::from(Arc::clone(config))
            .connect(name, stream)
            .await
            .map_err(|error| HttpError::Connect(self.authority.clone(), error))?;
        self.speak(stream).await
    }

    /// Speaks HTTP over an open stream.
    async fn speak<S>(&self, stream: S) -> Result<http1::SendRequest<Full<Bytes>>, HttpError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| HttpError::Broken(self.authority.clone(), error.to_string()))?;
        tokio::spawn(async move {
            // An error here reaches the caller through the sender.
            let _ = connection.await;
        });
        Ok(sender)
    }
}

/// Trusts the certificates that this machine trusts.
fn trusting_this_machine() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    // What cannot be read there vouches for nobody, and the server that needs it is refused.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the versions that are the default")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
