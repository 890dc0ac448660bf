//! The pages: who is sent which, under which policy, and what a browser may keep.

use reqwest::{Client, Method, Response, StatusCode, redirect::Policy};
use sha2::{Digest, Sha256};

use crate::deployment::{ADMIN_TOKEN, Deployment, Running};

async fn ask(
    backend: &Running,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Response {
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let mut request = client.request(method, format!("{}{path}", backend.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

#[tokio::test]
async fn the_root_leads_to_the_language_that_a_reader_asks_for() {
    let backend = Deployment::new().await.start().await;
    for (asked, expected) in [
        ("", "/en/"),
        ("ar-EG,ar;q=0.9,en;q=0.8", "/ar/"),
        ("fr", "/en/"),
    ] {
        let answer = ask(&backend, Method::GET, "/", &[("accept-language", asked)]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{asked}");
        assert_eq!(header(&answer, "location"), expected, "{asked}");
        assert_eq!(header(&answer, "vary"), "accept-language");
    }
}

#[tokio::test]
async fn a_slash_too_many_or_too_few_leads_to_the_page() {
    let backend = Deployment::new().await.start().await;
    for (asked, expected) in [
        ("/en", "/en/"),
        ("/ar", "/ar/"),
        ("/docs/", "/docs"),
        ("/en/elections/3/", "/en/elections/3"),
        (
            "/ar/elections/3/vote/?from=mail",
            "/ar/elections/3/vote?from=mail",
        ),
    ] {
        let answer = ask(&backend, Method::GET, asked, &[BROWSER]).await;
        assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT, "{asked}");
        assert_eq!(header(&answer, "location"), expected, "{asked}");
        let page = ask(&backend, Method::GET, expected, &[BROWSER]).await;
        assert_eq!(page.status(), StatusCode::OK, "{expected}");
        let posted = ask(&backend, Method::POST, asked, &[]).await;
        assert_eq!(posted.status(), StatusCode::NOT_FOUND, "{asked}");
    }
    // Nobody is sent to what is not there, or elsewhere.
    for asked in [
        "/xx",
        "/en/none/",
        "//example.org/",
        "//en",
        "/en//",
        "/en/not-found/",
    ] {
        let answer = ask(&backend, Method::GET, asked, &[]).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{asked}");
    }
}

#[tokio::test]
async fn every_file_comes_as_it_was_made_under_its_own_policy() {
    let backend = Deployment::new().await.start().await;
    let mut pages = 0;
    for asset in tabella_web::site().files() {
        let path = asset.path.replace("{id}", "7");
        if path.ends_with("/not-found") {
            continue;
        }
        let answer = ask(&backend, Method::GET, &path, &[]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&answer, "content-type"), asset.content_type);
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(header(&answer, "referrer-policy"), "no-referrer");
        let policy = header(&answer, "content-security-policy").to_owned();
        assert_eq!(header(&answer, "set-cookie"), "", "{path}");
        assert_eq!(policy, asset.kind.policy(), "{path}");
        if asset.is_page() {
            pages += 1;
            assert_eq!(header(&answer, "cross-origin-opener-policy"), "same-origin");
            assert_eq!(header(&answer, "cache-control"), "no-cache", "{path}");
        }
        let saved = header(&answer, "content-disposition");
        assert_eq!(
            saved.is_empty(),
            !path.ends_with("/tabella-check.html"),
            "{path}"
        );
        let bytes = answer.bytes().await.unwrap();
        assert_eq!(
            hex::encode(Sha256::digest(&bytes)),
            asset.sha256(),
            "{path}"
        );
    }
    assert_eq!(pages, 20);
}

#[tokio::test]
async fn a_page_is_the_same_for_everybody() {
    let backend = Deployment::new().await.start().await;
    let first = ask(&backend, Method::GET, "/en/elections/1/vote", &[]).await;
    let first = first.bytes().await.unwrap();
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("accept-language", "ar"),
    ];
    let other = ask(&backend, Method::GET, "/en/elections/99/vote", &headers).await;
    assert_eq!(other.bytes().await.unwrap(), first);
}

#[tokio::test]
async fn pages_are_sent_compressed_and_not_again_to_who_has_them() {
    let backend = Deployment::new().await.start().await;
    let plain = ask(&backend, Method::GET, "/en/", &[]).await;
    let tag = header(&plain, "etag").to_owned();
    let length = plain.bytes().await.unwrap().len();
    for coding in ["br", "gzip"] {
        let headers = [("accept-encoding", coding)];
        let answer = ask(&backend, Method::GET, "/en/", &headers).await;
        assert_eq!(header(&answer, "content-encoding"), coding);
        assert!(header(&answer, "vary").contains("accept-encoding"));
        assert!(answer.bytes().await.unwrap().len() * 2 < length, "{coding}");
    }
    let headers = [("if-none-match", tag.as_str()), ("accept-encoding", "br")];
    let known = ask(&backend, Method::GET, "/en/", &headers).await;
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(header(&known, "content-encoding"), "");
    assert_eq!(
        header(&known, "content-security-policy"),
        tabella_web::policy::PAGE
    );
    let other = ask(&backend, Method::GET, "/ar/", &headers).await;
    assert_eq!(other.status(), StatusCode::OK);

    let mut files = tabella_web::site().files();
    let module = files.find(|asset| asset.path.ends_with("/script/api.js"));
    let module = ask(&backend, Method::GET, &module.unwrap().path, &[]).await;
    let kept = header(&module, "cache-control");
    assert!(kept.contains("immutable"), "{kept}");
    let head = ask(&backend, Method::HEAD, "/en/", &[]).await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(head.bytes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn where_there_is_no_page_people_read_so_and_programs_get_a_problem() {
    let backend = Deployment::new().await.start().await;
    let arabic = [BROWSER, ("accept-language", "ar")];
    let page = ask(&backend, Method::GET, "/en/nowhere", &arabic).await;
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&page, "cache-control"), "no-store");
    assert_eq!(header(&page, "etag"), "");
    assert_eq!(
        header(&page, "content-security-policy"),
        tabella_web::policy::PAGE
    );
    let text = page.text().await.unwrap();
    assert!(text.contains("<html lang=\"ar\" dir=\"rtl\">"), "{text}");

    for path in [
        "/api",
        "/api/nothing",
        "/health/nothing",
        "/metrics/nothing",
    ] {
        let problem = ask(&backend, Method::GET, path, &[BROWSER]).await;
        assert_eq!(problem.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(header(&problem, "content-type"), "application/problem+json");
    }
    let program = ask(&backend, Method::GET, "/en/nowhere", &[("accept", "*/*")]).await;
    assert_eq!(header(&program, "content-type"), "application/problem+json");
    let posted = ask(&backend, Method::POST, "/en/", &[BROWSER]).await;
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    let posted = ask(&backend, Method::POST, "/nowhere", &[BROWSER]).await;
    assert_eq!(posted.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_genesis_document_is_the_networks_own() {
    let deployment = Deployment::new().await;
    let own = deployment.network.genesis.to_json();
    let backend = deployment.start().await;
    let answer = ask(&backend, Method::GET, "/api/genesis", &[]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let tag = header(&answer, "etag").to_owned();
    assert_eq!(answer.text().await.unwrap(), own);
    let headers = [("if-none-match", tag.as_str())];
    let known = ask(&backend, Method::GET, "/api/genesis", &headers).await;
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
}
