//! The list of all files, and its committed copy.

use expect_test::expect_file;
use tabella_web::site;

/// `UPDATE_EXPECT=1 cargo xtask test web_assets` writes the copy again.
#[test]
fn the_committed_web_assets_are_what_is_served() {
    let list = site().find("/assets.json").expect("the list");
    let text = std::str::from_utf8(&list.bytes).expect("UTF-8");
    expect_file!["../../../../docs/web-assets.json"].assert_eq(text);
}

#[test]
fn the_list_names_every_file_with_its_hash() {
    let list = site().find("/assets.json").expect("the list");
    let list: serde_json::Value = serde_json::from_slice(&list.bytes).expect("JSON");
    let files = list["files"].as_array().expect("files");
    assert_eq!(files.len() + 1, site().files().count());
    for asset in site().files().filter(|asset| asset.path != "/assets.json") {
        let entry = files
            .iter()
            .find(|file| file["path"] == asset.path.as_str());
        let entry = entry.unwrap_or_else(|| panic!("{} is not listed", asset.path));
        assert_eq!(entry["sha256"], asset.sha256().as_str(), "{}", asset.path);
        let policy = entry["policy"].as_str().expect("a policy's name");
        assert_eq!(list["policies"][policy], asset.kind.policy());
    }
    assert_eq!(list["policies"]["page"], tabella_web::policy::PAGE);
    assert_eq!(list["policies"]["worker"], tabella_web::policy::WORKER);
}
