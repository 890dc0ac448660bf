//! A real Chromium for one test, from the system's packages, driven as W3C WebDriver says, gone with the test.
//!
//! ```no_run
//! # async fn example() {
//! let Some(browser) = tabella_test_browser::Browser::start(1280, 900).await else {
//!     return; // not installed: said on standard error
//! };
//! browser.go("http://127.0.0.1:8000/en/").await;
//! assert_eq!(browser.script("return document.title", &[]).await, "Elections · Tabella");
//! # }
//! ```

mod keys;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

pub use keys::Key;

/// Where it is set, a missing browser is a failure and not a reason to skip a test.
pub const REQUIRED: &str = "TABELLA_REQUIRE_BROWSER";

/// The program that drives the browser.
const DRIVER: &str = "chromedriver";
/// How long anything may take before it counts as broken.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What Chromium is started with: no window, no sandbox (tests may run as root), and no calls of its own.
const ARGUMENTS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one tab; dropping it ends it.
pub struct Browser {
    http: reqwest::Client,
    /// The URL of its session.
    session: String,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser with a window of this size; nothing, said on standard error, where none is installed.
    pub async fn start(width: u32, height: u32) -> Option<Self> {
        let driver = Command::new(DRIVER)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut driver) = driver else {
            let said =
                "chromedriver is not installed (Debian: apt-get install chromium chromium-driver)";
            assert!(std::env::var_os(REQUIRED).is_none(), "{said}");
            eprintln!("skipped: {said}");
            return None;
        };
        let port = port(&mut driver);
        let profile = TempDir::new().expect("the temporary directory is writable");
        let mut arguments: Vec<String> = ARGUMENTS.iter().map(|a| (*a).to_owned()).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        arguments.push(format!("--window-size={width},{height}"));
        let mut browser = Self {
            http: reqwest::Client::new(),
            session: format!("http://127.0.0.1:{port}/session"),
            driver,
            _profile: profile,
        };
        let answer = browser
            .call(
                "",
                json!({"capabilities": {"alwaysMatch": {
                    "browserName": "chrome",
                    "goog:chromeOptions": {"args": arguments},
                    "goog:loggingPrefs": {"browser": "ALL"},
                }}}),
            )
            .await;
        let id = answer["sessionId"].as_str().expect("a session");
        browser.session = format!("{}/{id}", browser.session);
        // Narrower than a window can be.
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        browser
            .devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
        Some(browser)
    }

    /// Loads a page, also where the one before asks whether it may be left.
    pub async fn go(&self, url: &str) {
        self.call("/url", json!({ "url": url })).await;
    }

    /// The tab that is driven.
    pub async fn tab(&self) -> String {
        let answer = self
            .http
            .get(format!("{}/window", self.session))
            .send()
            .await;
        let answer: Value = answer.expect("an answer").json().await.expect("JSON");
        answer["value"].as_str().expect("a tab").to_owned()
    }

    /// Opens another tab.
    pub async fn new_tab(&self) -> String {
        let answer = self.call("/window/new", json!({"type": "tab"})).await;
        answer["handle"].as_str().expect("a tab").to_owned()
    }

    /// Drives another tab from now on.
    pub async fn switch_to(&self, tab: &str) {
        self.call("/window", json!({ "handle": tab })).await;
    }

    /// What a script returns in the page.
    pub async fn script(&self, script: &str, arguments: &[Value]) -> Value {
        self.call(
            "/execute/sync",
            json!({"script": script, "args": arguments}),
        )
        .await
    }

    /// Polls until a script returns something that holds; what it returns.
    pub async fn eventually(&self, what: &str, script: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.script(script, &[]).await;
            if value != Value::Null && value != Value::Bool(false) && value != "" {
                return value;
            }
            if Instant::now() > deadline {
                let text = self.script("return document.body.innerText", &[]).await;
                let errors = self.console().await;
                panic!("not within {PATIENCE:?}: {what}\n{text}\n{errors:?}");
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Presses keys one after another, each down and up.
    pub async fn press(&self, keys: &[Key]) {
        let strokes: Vec<Value> = keys
            .iter()
            .flat_map(|key| {
                let value = key.code();
                ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": value}))
            })
            .collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": strokes});
        self.call("/actions", json!({"actions": [keyboard]})).await;
    }

    /// Types a text.
    pub async fn type_text(&self, text: &str) {
        let keys: Vec<Key> = text.chars().map(Key::Character).collect();
        self.press(&keys).await;
    }

    /// Warnings and errors of the console since they were last asked for; violations of policies are among them.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.call("/se/log", json!({"type": "browser"})).await;
        let entries = entries.as_array().into_iter().flatten();
        entries
            .filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Chooses files in the field with this id, as its dialog does.
    pub async fn choose_files(&self, id: &str, files: &[&Path]) {
        let field = format!("document.getElementById({})", json!(id));
        let found = self
            .devtools("Runtime.evaluate", json!({ "expression": field }))
            .await;
        let object = found["result"]["objectId"].as_str().expect("a field");
        let chosen = json!({ "files": files, "objectId": object });
        self.devtools("DOM.setFileInputFiles", chosen).await;
    }

    /// Cuts the browser off from every network, or ends that.
    pub async fn set_offline(&self, is_offline: bool) {
        let conditions = json!({
            "offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
        });
        self.devtools("Network.enable", json!({})).await;
        self.devtools("Network.emulateNetworkConditions", conditions)
            .await;
    }

    /// A command of Chromium's own protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.call("/goog/cdp/execute", body).await
    }

    /// Saves a picture of the whole page.
    pub async fn picture(&self, path: &Path) {
        let parameters = json!({"format": "png", "captureBeyondViewport": true});
        let answer = self.devtools("Page.captureScreenshot", parameters).await;
        let text = answer["data"].as_str().expect("a picture");
        let bytes = STANDARD.decode(text).expect("base64");
        std::fs::write(path, bytes).expect("the path is writable");
    }

    async fn call(&self, path: &str, body: Value) -> Value {
        match self.try_call(path, &body).await {
            Ok(value) => value,
            Err(message) => panic!("{path}: {message}"),
        }
    }

    async fn try_call(&self, path: &str, body: &Value) -> Result<Value, String> {
        let request = self.http.post(format!("{}{path}", self.session)).json(body);
        let request = request.timeout(PATIENCE).send().await;
        let response = request.map_err(|error| format!("chromedriver does not answer: {error}"))?;
        let is_success = response.status().is_success();
        let mut answer: Value = response.json().await.map_err(|error| error.to_string())?;
        match is_success {
            true => Ok(answer["value"].take()),
            false => Err(answer["value"]["message"].to_string()),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends Chromium when its session ends; a killed driver would leave Chromium behind.
        let session = self.session.clone();
        let ended = std::thread::spawn(move || {
            let command = Command::new("curl")
                .args([
                    "--silent",
                    "--max-time",
                    "10",
                    "--request",
                    "DELETE",
                    &session,
                ])
                .stdout(Stdio::null())
                .status();
            command.is_ok()
        });
        let _ = ended.join();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The port that the driver says it listens on.
fn port(driver: &mut Child) -> u16 {
    let out = driver.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(out).lines();
    let port = lines.find_map(|line| {
        let line = line.expect("text");
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    // What it says later is read by nobody, and is little.
    std::thread::spawn(move || lines.for_each(drop));
    port.expect("chromedriver says on which port it listens")
}
