//! A proxy before a validator that changes answers.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::IntoResponse,
    routing::post,
};
use serde_json::{Value, json};
use tabella_protocol::{Block, Eligibility, OpenTo, Payload, RollChanges, codec};
use tokio::{net::TcpListener, task::JoinHandle};

/// What a liar changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// Nothing: an honest proxy.
    Nothing,
    /// The options of every contest stand in another order.
    Options,
    /// Every election has this status, such as `final`.
    Status(&'static str),
    /// 999 voters have voted, and as many are on the roll.
    Turnout,
    /// The board is empty, or its first ballot is another.
    Board,
    /// Another option has won.
    Results,
    /// Published plugins have other bytes, and each other's names.
    Plugins,
    /// Receipts are of another position.
    Receipts,
    /// Blocks hold other transactions.
    Bodies,
    /// Certificates lack a quorum.
    Certificates,
    /// The newest block is far ahead.
    Tip,
    /// Every transaction is refused as one of a closed election.
    Refusals,
    /// Every transaction is rejected, and none was ever seen.
    Standings,
    /// Every transaction is taken and kept from the network, and said to be rejected as one that
    /// nobody may make.
    Keeps,
    /// Elections were created, opened and closed by nobody.
    Changes,
    /// There is evidence against everybody.
    Evidence,
    /// The validators are others.
    Validators,
    /// Elections have another title, other parameters and other voters, in blocks too.
    Spec,
    /// All acks but one are gone, and that one is of another state.
    Acks,
}

impl Lie {
    /// Every lie, for a test that tries each.
    pub const ALL: [Self; 19] = [
        Self::Options,
        Self::Status("final"),
        Self::Status("closed"),
        Self::Turnout,
        Self::Board,
        Self::Results,
        Self::Plugins,
        Self::Receipts,
        Self::Bodies,
        Self::Certificates,
        Self::Tip,
        Self::Refusals,
        Self::Standings,
        Self::Keeps,
        Self::Changes,
        Self::Evidence,
        Self::Validators,
        Self::Spec,
        Self::Acks,
    ];

    /// The methods whose answers it changes: where none of them is called, nothing is lied about.
    pub fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Nothing => &[],
            Self::Options | Self::Turnout => &["tabella_getElection", "tabella_getElections"],
            Self::Status(_) => &[
                "tabella_getElection",
                "tabella_getElections",
                "tabella_getResults",
            ],
            Self::Board => &["tabella_getBoard"],
            Self::Results => &["tabella_getResults"],
            Self::Plugins => &["tabella_getPlugin", "tabella_getPlugins"],
            Self::Receipts => &["tabella_getReceipt"],
            Self::Bodies | Self::Certificates => &["tabella_getBlock", "tabella_getBlockSummaries"],
            Self::Tip => &["tabella_nodeStatus", "eth_blockNumber"],
            Self::Refusals => &["eth_sendTransaction"],
            Self::Standings => &["tabella_getTransactionStatus"],
            Self::Keeps => &["eth_sendTransaction", "tabella_getTransactionStatus"],
            Self::Changes => &["tabella_getElectionChanges"],
            Self::Evidence => &["tabella_nodeStatus"],
            Self::Validators => &["tabella_getValidatorSets"],
            Self::Spec => &[
                "tabella_getElection",
                "tabella_getElections",
                "tabella_getBlock",
            ],
            Self::Acks => &[
                "tabella_getBlock",
                "tabella_getBlockSummaries",
                "tabella_getReceipt",
            ],
        }
    }
}

/// What an election is called whose title is changed,
const OTHER_TITLE: &str = "Another election";
/// and what its contests' rules are told.
const OTHER_PARAMS: &str = r#"{"seats":2}"#;

struct Shared {
    honest: String,
    http: reqwest::Client,
    kept: AtomicU64,
    told: Mutex<Told>,
    delay_ms: AtomicU64,
    calls: Mutex<BTreeMap<String, u64>>,
}

/// What is lied about, and how many answers it changed so far.
#[derive(Clone, Copy)]
struct Told {
    lie: Lie,
    count: u64,
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a changed answer, unless the lie is another by now.
    fn count(&self, lie: Lie) {
        let mut told = self.told();
        told.count += u64::from(told.lie == lie);
    }
}

/// A lying validator; it ends when dropped.
pub struct Liar {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Liar {
    /// Starts a liar before the validator at `honest`, an `http://` address.
    ///
    /// # Panics
    ///
    /// Where no port of this machine can be listened on.
    pub async fn start(honest: &str, lie: Lie) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let shared = Arc::new(Shared {
            honest: honest.to_owned(),
            http: reqwest::Client::new(),
            told: Mutex::new(Told { lie, count: 0 }),
            kept: AtomicU64::new(0),
            delay_ms: AtomicU64::new(0),
            calls: Mutex::default(),
        });
        let router = Router::new()
            .route("/", post(answer))
            // The validator behind it has its own.
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            // It ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Self {
            address,
            shared,
            task,
        }
    }

    /// Returns the address to call it by.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns how many requests with transactions it kept from the network.
    pub fn kept(&self) -> u64 {
        self.shared.kept.load(Ordering::SeqCst)
    }

    /// Returns how often it was called, by method.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.shared.calls().clone()
    }

    /// Lies about something else from now on.
    pub fn set(&self, lie: Lie) {
        *self.shared.told() = Told { lie, count: 0 };
    }

    /// Answers every request so much later from now on.
    pub fn set_delay(&self, delay: Duration) {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.shared.delay_ms.store(delay_ms, Ordering::SeqCst);
    }

    /// Returns what it lies about.
    pub fn lie(&self) -> Lie {
        self.shared.told().lie
    }

    /// Returns how many answers the lie of now has changed.
    pub fn told(&self) -> u64 {
        self.shared.told().count
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Json(request): Json<Value>,
) -> impl IntoResponse {
    let delay_ms = shared.delay_ms.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    let lie = shared.told().lie;
    count_calls(&shared, &request);
    if lie == Lie::Keeps
        && let Some(kept) = keep(&request)
    {
        shared.kept.fetch_add(1, Ordering::SeqCst);
        shared.count(lie);
        return Json(kept).into_response();
    }
    let sent = shared.http.post(&shared.honest).json(&request).send().await;
    let Ok(response) = sent else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let Ok(mut answers) = response.json::<Value>().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    match (&request, &mut answers) {
        (Value::Array(calls), Value::Array(answers)) => {
            for (call, answer) in calls.iter().zip(answers) {
                tell(&shared, lie, call, answer);
            }
        }
        (call, answer) => tell(&shared, lie, call, answer),
    }
    Json(answers).into_response()
}

fn count_calls(shared: &Shared, request: &Value) {
    let batch = request.as_array();
    let one = batch.is_none().then_some(request);
    let mut counted = shared.calls();
    for call in batch.into_iter().flatten().chain(one) {
        let method = call["method"].as_str().unwrap_or_default();
        *counted.entry(method.to_owned()).or_default() += 1;
    }
}

/// Returns the answer that takes every transaction of a request; nothing for other requests.
fn keep(request: &Value) -> Option<Value> {
    let taken = |call: &Value| {
        let data = call["params"][0]["data"].as_str()?;
        let bytes = hex::decode(data.strip_prefix("0x")?).ok()?;
        let id = tabella_protocol::Hash::of(&bytes);
        Some(json!({"jsonrpc": "2.0", "id": call["id"], "result": id}))
    };
    match request {
        Value::Array(calls) => calls.iter().map(taken).collect(),
        call => taken(call),
    }
}

/// Lies about one answer to one call, and counts it where the answer is another than it was.
fn tell(shared: &Shared, lie: Lie, call: &Value, answer: &mut Value) {
    if lie == Lie::Nothing {
        return;
    }
    let honest = answer.clone();
    change(lie, call, answer);
    if *answer != honest {
        shared.count(lie);
    }
}

/// Changes one answer to one call.
fn change(lie: Lie, call: &Value, answer: &mut Value) {
    let method = call["method"].as_str().unwrap_or_default();
    if lie == Lie::Refusals && method == "eth_sendTransaction" {
        *answer = json!({
            "jsonrpc": "2.0",
            "id": call["id"],
            "error": {
                "code": -32003,
                "message": "election 1 is closed",
                "data": {"code": "election-closed"},
            },
        });
        return;
    }
    let Some(result) = answer.get_mut("result") else {
        return;
    };
    match (lie, method) {
        (Lie::Options | Lie::Status(_) | Lie::Turnout | Lie::Spec, "tabella_getElection") => {
            change_election(lie, result);
        }
        (Lie::Options | Lie::Status(_) | Lie::Turnout | Lie::Spec, "tabella_getElections") => {
            each(result, |election| change_election(lie, election));
        }
        (Lie::Status(status), "tabella_getResults") => result["status"] = json!(status),
        (Lie::Board, "tabella_getBoard") => change_board(result),
        (Lie::Results, "tabella_getResults") => change_results(result),
        (Lie::Plugins, "tabella_getPlugins") => {
            each(result, |plugin| {
                plugin["manifest"]["name"] = json!("plurality")
            });
        }
        (Lie::Plugins, "tabella_getPlugin") if !result.is_null() => {
            result["wasm"] = json!("0x0061736d01000000");
        }
        (Lie::Receipts, "tabella_getReceipt") if !result.is_null() => {
            result["entry"]["position"] = json!(4_711);
        }
        (Lie::Bodies, "tabella_getBlock") => change_body(result),
        (Lie::Bodies, "tabella_getBlockSummaries") => each(result, |summary| {
            summary["transaction_ids"] = json!([format!("0x{}", "09".repeat(32))]);
        }),
        (Lie::Certificates, "tabella_getBlock") => drop_signatures(result),
        (Lie::Certificates, "tabella_getBlockSummaries") => each(result, drop_signatures),
        (Lie::Tip, "tabella_nodeStatus") => result["height"] = json!(1_000_000_000),
        (Lie::Tip, "eth_blockNumber") => *result = json!("0x3b9aca00"),
        (Lie::Standings, "tabella_getTransactionStatus") => {
            *result = json!({
                "status": "rejected", "code": "ballot-refused", "reason": "because I say so",
            });
        }
        (Lie::Keeps, "tabella_getTransactionStatus") => {
            *result = json!({
                "status": "rejected", "code": "not-authorised", "reason": "because I say so",
            });
        }
        (Lie::Changes, "tabella_getElectionChanges") => result["blocks"] = json!([]),
        (Lie::Evidence, "tabella_nodeStatus") => result["evidence"] = json!(7),
        (Lie::Validators, "tabella_getValidatorSets") => *result = json!([]),
        (Lie::Spec, "tabella_getBlock") => change_created(result),
        (Lie::Acks, "tabella_getBlock" | "tabella_getReceipt") => change_acks(result),
        (Lie::Acks, "tabella_getBlockSummaries") => each(result, change_acks),
        _ => {}
    }
}

fn each(list: &mut Value, mut change: impl FnMut(&mut Value)) {
    list.as_array_mut()
        .into_iter()
        .flatten()
        .for_each(&mut change);
}

fn change_election(lie: Lie, election: &mut Value) {
    if election.is_null() {
        return;
    }
    match lie {
        Lie::Options => each(&mut election["spec"]["contests"], |contest| {
            if let Some(options) = contest["options"].as_array_mut() {
                options.rotate_left(1);
            }
        }),
        Lie::Status(status) => election["status"] = json!(status),
        Lie::Spec => {
            let spec = &mut election["spec"];
            spec["title"] = json!(OTHER_TITLE);
            spec["eligibility"] = json!(Eligibility::Credentials {
                roll: RollChanges::Grows,
            });
            each(&mut spec["contests"], |contest| {
                contest["params"] = json!(OTHER_PARAMS)
            });
        }
        _ => {
            election["turnout"] = json!(999);
            election["roll_size"] = json!(999);
        }
    }
}

fn change_board(page: &mut Value) {
    each(&mut page["items"], |item| {
        item["ballots"] = json!(["0x00"]);
        item["plain"] = json!([{"choice": "b"}]);
    });
    page["board"]["root"] = json!(format!("0x{}", "07".repeat(32)));
}

fn change_results(results: &mut Value) {
    results["turnout"] = json!(999);
    each(&mut results["plain"], |outcome| {
        outcome["winners"] = json!(["b"])
    });
    results["outcomes"] = json!([]);
}

/// Flips the last byte of a block, which is one of its transactions where it has some.
fn change_body(view: &mut Value) {
    let Some(text) = view["block"].as_str() else {
        return;
    };
    let mut text = text.to_owned();
    let last = text.pop();
    text.push(if last == Some('0') { '1' } else { '0' });
    view["block"] = json!(text);
}

/// Creates another election in a block's body than the block does.
fn change_created(view: &mut Value) {
    let text = view["block"].as_str().unwrap_or_default();
    let bytes = hex::decode(text.trim_start_matches("0x")).unwrap_or_default();
    let Ok((mut block, transactions)) = Block::decode(&bytes, bytes.len()) else {
        return;
    };
    let mut changed = false;
    for ((_, mut transaction), bytes) in transactions.into_iter().zip(&mut block.transactions) {
        if let Payload::CreateElection(spec) = &mut transaction.body.payload {
            spec.title = OTHER_TITLE.to_owned();
            for contest in &mut spec.contests {
                contest.params = OTHER_PARAMS.to_owned();
            }
            if let Eligibility::Registrar { open_to, .. } = &mut spec.eligibility {
                *open_to = OpenTo::Accounts;
            }
            *bytes = transaction.to_bytes();
            changed = true;
        }
    }
    if changed {
        view["block"] = json!(format!("0x{}", hex::encode(codec::encode(&block))));
    }
}

fn change_acks(view: &mut Value) {
    if let Some(acks) = view["acks"].as_array_mut() {
        acks.truncate(1);
        for ack in acks {
            ack["state_root"] = json!(format!("0x{}", "05".repeat(32)));
        }
    }
}

fn drop_signatures(view: &mut Value) {
    if let Some(signatures) = view["certificate"]["signatures"].as_array_mut() {
        signatures.truncate(1);
    }
}
