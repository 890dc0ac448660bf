//! Folders and zip archives of files that belong together.

use std::io::{Cursor, Read};
use std::path::Path;

use super::problem::ImportError;

/// One file of several.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Its name, without folders.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Files in a folder or an archive, at most.
const FILES_MAX: usize = 200_000;

/// Whether these are the first bytes of a zip archive.
pub(super) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// The names of an archive's files.
pub(super) fn names(bytes: &[u8]) -> Result<Vec<String>, String> {
    let archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let names = archive.file_names();
    let names = names.map(|name| name.map(|name| name.into_owned()));
    names
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

/// The files of an archive, all its folders at once; hidden files are passed over.
pub(super) fn unzip(bytes: &[u8], bytes_max: u64) -> Result<Vec<Part>, String> {
    let archive = zip::ZipArchive::new(Cursor::new(bytes));
    let mut archive = archive.map_err(|error| error.to_string())?;
    if archive.len() > FILES_MAX {
        let found = archive.len();
        return Err(format!(
            "the archive has {found} files, at most {FILES_MAX} allowed"
        ));
    }
    let mut parts = Vec::new();
    let mut left = bytes_max;
    for number in 0..archive.len() {
        let file = archive
            .by_index(number)
            .map_err(|error| error.to_string())?;
        let path = file.name().map_err(|error| error.to_string())?.into_owned();
        let name = path
            .rsplit(['/', '\\'])
            .next()
            .unwrap_or_default()
            .to_owned();
        if file.is_dir() || is_hidden(&name) || path.starts_with("__MACOSX") {
            continue;
        }
        // What the archive says of its files' sizes need not be so.
        let mut bytes = Vec::new();
        let read = file.take(left + 1).read_to_end(&mut bytes);
        let read = read.map_err(|error| format!("{path}: {error}"))? as u64;
        left = left.checked_sub(read).ok_or_else(|| {
            format!("the archive's files have more than {bytes_max} bytes; split it")
        })?;
        parts.push(Part { name, bytes });
    }
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(parts)
}

/// The files of a folder; those of folders in it are left alone.
pub(super) fn folder(path: &Path, bytes_max: u64) -> Result<Vec<Part>, ImportError> {
    let shown = path.display().to_string();
    let error = |error| ImportError::Read {
        path: shown.clone(),
        error,
    };
    let mut parts = Vec::new();
    let mut all = 0;
    for entry in std::fs::read_dir(path).map_err(error)? {
        let entry = entry.map_err(error)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let about = std::fs::metadata(entry.path()).map_err(error)?;
        if about.is_dir() || is_hidden(&name) {
            continue;
        }
        all += about.len();
        if all > bytes_max || parts.len() == FILES_MAX {
            return Err(ImportError::TooLarge {
                path: shown.clone(),
                bytes: all,
                bytes_max,
            });
        }
        let bytes = std::fs::read(entry.path()).map_err(error)?;
        parts.push(Part { name, bytes });
    }
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(parts)
}

fn is_hidden(name: &str) -> bool {
    name.is_empty() || name.starts_with('.')
}
