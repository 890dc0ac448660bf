//! `tabella verify web`: a site that sends the pages of the binary, and proxies that change them.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};
use tabella_cli::http::Client;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use crate::network::{Network, tabella};

/// What a proxy does to what it passes on.
#[derive(Clone, Copy)]
enum Fault {
    Nothing,
    /// Changes one bit of the file whose path ends so.
    Bit(&'static str),
    /// Allows the page at this path more than it should.
    Policy(&'static str),
    /// Sends the page at this path with this header, which leads away from it.
    Header(&'static str, &'static str, &'static str),
}

/// A proxy before a backend; its URL.
async fn proxy(backend: &str, fault: Fault) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let backend = backend.to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            pass_on(stream, &backend, fault).await;
        }
    });
    url
}

fn file(name: &str) -> std::path::PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/web/tls");
    directory.join(name)
}

/// A proxy before a backend that is called by `https`, as operators have one; its URL.
async fn tls_proxy(backend: &str) -> String {
    let certificate =
        CertificateDer::from_pem_file(file("certificate.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("the key is of the certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let backend = backend.to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not trust the certificate hangs up.
            if let Ok(stream) = acceptor.accept(stream).await {
                pass_on(stream, &backend, Fault::Nothing).await;
            }
        }
    });
    format!("https://localhost:{port}")
}

/// Answers the one request of a connection.
async fn pass_on<S: AsyncRead + AsyncWrite + Unpin>(stream: S, backend: &str, fault: Fault) {
    let mut stream = BufReader::new(stream);
    let (mut path, mut language) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.expect("a request");
        if line.trim().is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("GET ") {
            rest.split(' ')
                .next()
                .unwrap_or_default()
                .clone_into(&mut path);
        }
        if let Some(value) = line.strip_prefix("accept-language: ") {
            value.trim().clone_into(&mut language);
        }
    }
    let mut client = Client::new(backend).expect("a URL");
    if !language.is_empty() {
        client.as_reader_of(&language);
    }
    let answer = client.get(&path).await.expect("an answer");
    let mut headers = answer.headers.clone();
    let mut body = answer.body.to_vec();
    let value = |text: &str| text.parse().expect("a header's value");
    match fault {
        Fault::Bit(end) if path.ends_with(end) => body[7] ^= 1,
        Fault::Policy(page) if path == page => {
            let policy = answer.header("content-security-policy");
            let loose = value(&format!("{policy}; script-src *"));
            headers.insert("content-security-policy", loose);
        }
        Fault::Header(page, name, text) if path == page => {
            headers.insert(name, value(text));
        }
        _ => {}
    }
    headers.insert("content-length", value(&body.len().to_string()));
    headers.insert("connection", value("close"));
    let mut head = format!("HTTP/1.1 {} .\r\n", answer.status);
    for (name, value) in &headers {
        let value = value.to_str().expect("a backend's headers are text");
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    // Who is asked may be gone.
    let _ = stream.write_all(&[head.into_bytes(), body].concat()).await;
    let _ = stream.shutdown().await;
}

async fn verify(url: &str, more: &'static [&str]) -> (Option<i32>, String) {
    verify_trusting("certificate.pem", url, more).await
}

/// Runs the command on a machine that trusts the certificates of this file.
async fn verify_trusting(
    trusted: &'static str,
    url: &str,
    more: &'static [&str],
) -> (Option<i32>, String) {
    let url = url.to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let mut command = tabella();
        command.args(["verify", "web", &url]).args(more);
        command.env("SSL_CERT_FILE", file(trusted));
        command.output().expect("the binary starts")
    });
    let output = output.await.expect("it ends");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("UTF-8");
    (output.status.code(), text)
}

/// The paths that a proxy with this fault is found out at.
async fn found(backend: &str, fault: Fault) -> Vec<(String, String)> {
    let (code, text) = verify(&proxy(backend, fault).await, &["--json"]).await;
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    let differences = answer["differences"].as_array().expect("differences");
    assert_eq!(code, Some(i32::from(!differences.is_empty())), "{text}");
    assert_eq!(answer["valid"], json!(differences.is_empty()), "{text}");
    assert!(answer["compared"].as_u64() > Some(70), "{text}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let each = differences
        .iter()
        .map(|d| (text(&d["path"]), text(&d["what"])));
    each.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_compared_with_the_binary_and_one_changed_bit_is_found() {
    let network = Network::start(&["--validators", "1"]).await;
    let backend = &network.ready.backend;
    let (code, text) = verify(backend, &[]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("VALID: "), "{text}");
    assert_eq!(found(backend, Fault::Nothing).await, []);

    let by_tls = tls_proxy(backend).await;
    let (code, text) = verify(&by_tls, &[]).await;
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = verify_trusting("key.pem", &by_tls, &[]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("certificate"), "{text}");

    let changed = found(backend, Fault::Bit("/script/booth.js")).await;
    let [(path, what)] = changed.as_slice() else {
        panic!("{changed:?}");
    };
    assert!(
        path.ends_with("/script/booth.js") && what == "bytes",
        "{path}: {what}"
    );
    let changed = found(backend, Fault::Bit("/verifier.wasm")).await;
    assert_eq!(changed.len(), 1, "{changed:?}");
    let loosened = found(backend, Fault::Policy("/ar/check")).await;
    let expected = ("/ar/check".to_owned(), "content-security-policy".to_owned());
    assert_eq!(loosened, [expected]);

    // The same bytes, and a reader who is led away from them.
    for (page, header, value) in [
        ("/en/", "refresh", "0; url=https://vote.example/"),
        ("/", "location", "https://vote.example/"),
        ("/en/check", "cross-origin-opener-policy", "unsafe-none"),
    ] {
        let led = found(backend, Fault::Header(page, header, value)).await;
        let expected = (page.to_owned(), header.to_owned());
        assert!(
            !led.is_empty() && led.iter().all(|of| *of == expected),
            "{led:?}"
        );
    }

    let (code, text) = verify(&proxy(backend, Fault::Bit("/en/check")).await, &[]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("\n/en/check: bytes: expected 0x"), "{text}");
}
