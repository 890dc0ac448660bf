//! Files that appear as a whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::output::ReaderGone;

/// Links that are followed to a file, at most.
const LINKS_MAX: usize = 40;

/// Where something is written in the end.
#[derive(Debug)]
pub(crate) enum Target {
    /// The process's output.
    Output,
    /// A file, or the place of one: what stands there is replaced at once.
    File(PathBuf),
    /// A device, a pipe or an open file, into which it is written.
    Stream(PathBuf),
}

impl Target {
    /// Looks at a path before anything is read for it: refuses what can only fail in the end.
    pub(crate) fn of(output: Option<&Path>) -> Result<Self> {
        let Some(output) = output else {
            return Ok(Self::Output);
        };
        let shown = output.display();
        // `/dev/stdout` and `/proc/self/fd/3` are open already: a file in their place would be another one.
        if output.starts_with("/dev") || output.starts_with("/proc") {
            if !output.exists() {
                bail!("cannot write {shown}: there is no such device");
            }
            return Ok(Self::Stream(output.to_owned()));
        }
        let place = followed(output)?;
        let about = match fs::metadata(&place) {
            Ok(about) => about,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::File(place)),
            Err(error) => return Err(error).with_context(|| format!("cannot write {shown}")),
        };
        if about.is_dir() {
            bail!("cannot write {shown}: it is a folder; name a file in it");
        }
        if !about.is_file() {
            return Ok(Self::Stream(place));
        }
        if about.permissions().readonly() {
            bail!(
                "cannot write {shown}: it is there and read-only; name another file, or make it writable"
            );
        }
        Ok(Self::File(place))
    }
}

/// The path at the end of symbolic links, whether a file stands there or not.
fn followed(path: &Path) -> Result<PathBuf> {
    let mut place = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(link) = fs::read_link(&place) else {
            return Ok(place);
        };
        place = folder_of(&place).join(link);
    }
    bail!(
        "cannot write {}: its links lead to each other",
        path.display()
    )
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A file that is written before anybody sees it: what fails leaves nothing behind.
pub(crate) struct Spool {
    pub(crate) path: PathBuf,
}

impl Spool {
    /// Beside the file that it becomes; among the system's temporary files where that is none.
    pub(crate) fn for_target(target: &Target) -> Result<Self> {
        let folder = match target {
            Target::File(place) => folder_of(place).to_owned(),
            Target::Output | Target::Stream(_) => std::env::temp_dir(),
        };
        let name = format!(
            ".tabella-{}-{:016x}",
            std::process::id(),
            rand::random::<u64>()
        );
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        if !matches!(target, Target::File(_)) {
            // What only this process reads.
            options.mode(0o600);
        }
        let created = options.open(&path);
        created.with_context(|| format!("cannot write in {}", folder.display()))?;
        Ok(Self { path })
    }

    /// Makes it the target, or writes it there.
    pub(crate) fn give(self, target: &Target) -> Result<()> {
        match target {
            Target::File(place) => {
                let failed = || format!("cannot write {}", place.display());
                if let Ok(about) = fs::metadata(place) {
                    // Who may read it stays as it was.
                    fs::set_permissions(&self.path, about.permissions()).with_context(failed)?;
                }
                // On the disk before its name is: a crash must not leave the name with half of it.
                let written = File::open(&self.path).with_context(failed)?;
                written.sync_all().with_context(failed)?;
                fs::rename(&self.path, place).with_context(failed)
            }
            Target::Stream(place) => {
                let failed = || format!("cannot write {}", place.display());
                // An open file may hold something already.
                let out = OpenOptions::new().append(true).open(place);
                self.copy_to(&mut out.with_context(failed)?)
                    .with_context(failed)
            }
            Target::Output => match self.copy_to(&mut io::stdout().lock()) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
                copied => copied.context("cannot write the output"),
            },
        }
    }

    fn copy_to(&self, out: &mut impl Write) -> io::Result<()> {
        let mut written = File::open(&self.path)?;
        io::copy(&mut written, out)?;
        out.flush()
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // It became the target, or is of no use any more.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// Writes `text` to a path as a command does; what it said where it was refused.
    fn written(path: &Path, text: &str) -> Result<(), String> {
        let told = |error: anyhow::Error| format!("{error:#}");
        let target = Target::of(Some(path)).map_err(told)?;
        let spool = Spool::for_target(&target).map_err(told)?;
        fs::write(&spool.path, text).unwrap();
        spool.give(&target).map_err(told)
    }

    fn left_over(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().starts_with(".tabella-"))
            .count()
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        written(&path, "one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        written(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert_eq!(left_over(folder.path()), 0);
    }

    #[test]
    fn a_link_stays_and_the_file_at_its_end_is_written() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (link, file) = (folder.path().join("link"), other.path().join("file"));
        symlink(&file, &link).unwrap();
        // First there is nothing at its end, then a file.
        for text in ["one", "two"] {
            written(&link, text).unwrap();
            assert!(link.is_symlink());
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        let circle = folder.path().join("circle");
        symlink("circle", &circle).unwrap();
        assert!(
            written(&circle, "x")
                .unwrap_err()
                .contains("lead to each other")
        );
    }

    #[test]
    fn what_can_only_fail_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let said = |path: &Path| Target::of(Some(path)).map(|_| ()).unwrap_err().to_string();
        assert!(said(folder.path()).contains("it is a folder"));
        let kept = folder.path().join("kept");
        fs::write(&kept, "kept").unwrap();
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o444)).unwrap();
        assert!(said(&kept).contains("read-only"));
        assert!(said(Path::new("/dev/tabella-none")).contains("no such device"));
        let nowhere = folder.path().join("none/x");
        assert!(
            written(&nowhere, "x")
                .unwrap_err()
                .contains("cannot write in")
        );
        assert_eq!(fs::read_to_string(&kept).unwrap(), "kept");
    }

    #[test]
    fn devices_are_written_into() {
        written(Path::new("/dev/null"), "x").unwrap();
        let full = written(Path::new("/dev/full"), "x").unwrap_err();
        assert!(full.contains("cannot write /dev/full"), "{full}");
    }
}
