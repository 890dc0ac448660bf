//! A text as a QR code (ISO/IEC 18004), which a page draws.

use qrcodegen::{QrCode, QrCodeEcc};
use serde_json::{Value, json};

/// Returns the code's width in modules, and its dark modules as the path of a picture (SVG) of that width.
pub(crate) fn draw(text: &[u8]) -> Value {
    let code = QrCode::encode_binary(text, QrCodeEcc::Medium);
    match code {
        Ok(code) => json!({ "verdict": "qr", "size": code.size(), "path": path(&code) }),
        Err(error) => json!({ "verdict": "too-long", "detail": error.to_string() }),
    }
}

/// A rectangle for each run of dark modules in a row.
fn path(code: &QrCode) -> String {
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let start = x;
            while x < code.size() && code.get_module(x, y) {
                x += 1;
            }
            if x > start {
                let length = x - start;
                path.push_str(&format!("M{start} {y}h{length}v1h-{length}z"));
            }
            x += 1;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dark_modules_are_drawn_and_no_others() {
        let text = b"https://vote.example/en/ballot#t=0x00";
        let drawn = draw(text);
        let code = QrCode::encode_binary(text, QrCodeEcc::Medium).unwrap();
        let dark = (0..code.size())
            .flat_map(|y| (0..code.size()).map(move |x| (x, y)))
            .filter(|(x, y)| code.get_module(*x, *y))
            .count();
        let path = drawn["path"].as_str().unwrap();
        let runs = path.split('M').skip(1);
        let lengths = runs.map(|run| {
            let (_, rest) = run.split_once('h').unwrap();
            let (length, _) = rest.split_once('v').unwrap();
            length.parse::<usize>().unwrap()
        });
        assert_eq!(lengths.sum::<usize>(), dark);
        assert!(path.starts_with("M0 0h7v1h-7z"), "{path}");
        assert_eq!(draw(&[0; 4_000])["verdict"], "too-long");
    }
}
