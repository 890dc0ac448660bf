//! Whatever place of a block is asked for: the transaction that stands there, null, or a refusal.

use super::*;

#[tokio::test]
async fn a_place_of_a_block_answers_what_stands_there() {
    let node = Node::start(Bounds::default()).await;
    let last = node.fixture.ledger.tip().height;
    node.fixture.commit_bytes(&node.fixture.ballot(7, u64::MAX));
    let height = format!("{:#x}", last + 1);
    let by_number = "eth_getTransactionByBlockNumberAndIndex";

    let block = node
        .call("eth_getBlockByNumber", json!([height, true]))
        .await["result"]
        .clone();
    let found = node.call(by_number, json!([height, "0x0"])).await["result"].clone();
    assert_eq!(found, block["transactions"][0]);
    assert_eq!(found["nonce"], "0x1fffffffffffff");
    assert_eq!(found["tabellaNonce"], "0xffffffffffffffff");
    let by_hash = "eth_getTransactionByBlockHashAndIndex";
    let same = node.call(by_hash, json!([block["hash"], 0])).await;
    assert_eq!(same["result"], found);

    let receipts = node.call("eth_getBlockReceipts", json!([height])).await["result"].clone();
    let one = node
        .call("eth_getTransactionReceipt", json!([found["hash"]]))
        .await;
    assert_eq!(receipts, json!([one["result"]]));
    let genesis = node.call("eth_getBlockReceipts", json!(["0x0"])).await;
    assert_eq!(genesis["result"], json!([]));

    for nowhere in [
        json!([height, "0x1"]),
        json!([height, u64::MAX]),
        json!(["0xffff", 0]),
    ] {
        let answer = node.call(by_number, nowhere.clone()).await;
        assert!(answer["result"].is_null(), "{nowhere}: {answer}");
        assert!(answer["error"].is_null(), "{nowhere}: {answer}");
    }
    for garbage in [
        json!([height]),
        json!([height, "1"]),
        json!([height, -1]),
        json!([height, []]),
    ] {
        let answer = node.call(by_number, garbage.clone()).await;
        assert_eq!(answer["error"]["code"], -32602, "{garbage}: {answer}");
    }
}
