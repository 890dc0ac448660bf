//! Writes all files of the pages into a directory, for whoever wants to look at them without a network.

use std::{fs, path::Path};

fn main() {
    let directory = std::env::args()
        .nth(1)
        .expect("usage: write-site DIRECTORY");
    for asset in tabella_web::site().files() {
        let name = asset.path.trim_start_matches('/');
        let name = match name.ends_with('/') || name.is_empty() {
            true => format!("{name}index.html"),
            // A page may stand beside a directory of its own name.
            false if asset.is_page() => format!("{name}.html"),
            false => name.to_owned(),
        };
        let path = Path::new(&directory).join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
        fs::write(path, &asset.bytes).expect("writable");
    }
}
