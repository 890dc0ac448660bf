//! That typing a page finds its faults: small pages with one fault each.

use super::{
    PYTHON,
    page::Page,
    root,
    session::{self, Session},
};

/// Types a page, and compares the first line of each fault.
#[track_caller]
fn check(page: &str, expected: &[&str]) {
    if session::lacks(&[PYTHON]).is_some() {
        assert!(std::env::var_os("TABELLA_REQUIRE_DOCUMENTS").is_none());
        println!("skipped: this machine has no namespaces or no Python for it");
        return;
    }
    let page = Page::parse("page.md", page, &|_| unreachable!("no other page"));
    let faults = Session::new(&root()).follow(&page);
    let lines: Vec<&str> = faults
        .iter()
        .filter_map(|fault| fault.lines().next())
        .collect();
    assert_eq!(lines, expected, "{faults:#?}");
}

#[test]
fn a_sound_page_has_none() {
    check(
        "# Title\n```sh\nWORD=hello; alias say=echo\nif false; then say no; fi\n```\nthen\n\
         ```sh\nsay $WORD world\nsay again\n```\nprints\n```text\n... world\n...\n```\n\
         ```sh\necho '{\"a\": 1, \"b\": [1, 2], \"hash\": \"0x12\"}'\n```\n\
         ```json\n{\"hash\": \"0x...\", \"b\": [...], ...}\n```\n\
         ```console\n$ pwd\n/.../tabella\n$ ls examples/elections\n...\nlunch.toml\n```\n\
         ```sh exits=3\ntrue\nsh -c 'echo bad >&2; exit 3'\n```\n```text\nbad\n```\n\
         ```python save-first=early.txt\nearly\n```\n```sh\ngrep early early.txt\n```\n\
         <!-- hidden\n```sh stays=\"up\"\nsh -c 'echo up; exec sleep 1000'\n```\n-->\n\
         ```sh stays=\"on\"\nsh -c 'trap \"exit 0\" TERM; echo on; while true; do sleep 0.1; done'\n```\n\
         ```sh stops=\"echo on\"\ntrue\n```\n\
         ```sh not typed: needs another machine\nfalse\n```\n",
        &[],
    );
}

#[test]
fn a_command_that_fails_is_named() {
    check(
        "```sh\ntrue\n\nfalse\nX=$(sh -c 'exit 4' | cat)\n```\n```sh exits=1\ntrue\n```\n\
         ```sh\nno-such-command\n```\n",
        &[
            "page.md:4: exits with 1",
            "page.md:5: exits with 4",
            "page.md:8: does not exit with 1",
            "page.md:11: exits with 127",
        ],
    );
}

#[test]
fn what_differs_from_the_promise_is_named() {
    check(
        "```sh\necho one two\n```\n```text\none ... three\n```\n\
         ```sh\necho '{\"a\": 1, \"b\": 2}'\n```\n```json\n{\"a\": ...}\n```\n\
         ```console\n$ echo one; echo two\none\n```\n",
        &[
            "page.md:5: the page promises",
            "page.md:11: the page promises",
            "page.md:15: the page promises",
        ],
    );
}

#[test]
fn an_answer_that_is_an_error_is_named() {
    let serve = "import http.server as h\nh.HTTPServer((\"127.0.0.1\", 8000), h.SimpleHTTPRequestHandler).serve_forever()";
    let page = format!(
        "```python save-first=serve.py\n{serve}\n```\n```sh stays\npython3 serve.py\n```\n\
         ```sh\nuntil curl -s http://127.0.0.1:8000/serve.py; do sleep 0.1; done\n\
         curl -s http://127.0.0.1:8000/missing\n```\n\
         ```sh answers=404\ncurl -s http://127.0.0.1:8000/missing\n```\n"
    );
    check(
        &page,
        &["page.md:9: HTTP 404 http://127.0.0.1:8000/missing"],
    );
}

#[test]
fn a_process_that_does_not_stay_is_named() {
    check(
        "```sh stays=\"up\"\nsh -c 'exit 0'\n```\n```sh\nexit 5\n```\n",
        &["page.md:5: the shell ends here, or has not come further in 400 s"],
    );
    check(
        "```sh stays=\"up\"\nsh -c 'exit 0'\n```\n",
        &["page.md:2: does not stay"],
    );
}

#[test]
#[should_panic = "page.md:1: no option \"exit\""]
fn an_option_that_nobody_knows_is_refused() {
    check("```sh exit=1\nfalse\n```\n", &[]);
}

#[test]
#[should_panic = "page.md:1: a fence without a language"]
fn a_fence_without_a_language_is_refused() {
    check("```\nfalse\n```\n", &[]);
}
