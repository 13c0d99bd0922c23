//! Serving points on disk, one small file each, found by the content of everything that went into
//! them. A file that cannot be read, or that is not ours, is ignored and made again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// First line of every file.
const MAGIC: &str = "sparkgap serving point 1";

/// A key of everything that a result depends on.
#[must_use]
pub(super) fn content_key(inputs: &impl Serialize) -> String {
    // Numbers are written so that they read back to the same bits, so equal text is equal input.
    let text = serde_json::to_string(inputs).expect("plain data with text keys always serialises");
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

fn path_of(folder: &Path, key: &str) -> PathBuf {
    folder.join(format!("{key}.point"))
}

/// The numbers stored under a key, bit for bit; `None` when there is no sound file.
#[must_use]
pub(super) fn read<const N: usize>(folder: &Path, key: &str) -> Option<[f64; N]> {
    let text = fs::read_to_string(path_of(folder, key)).ok()?;
    let mut lines = text.lines();
    if lines.next()? != MAGIC || lines.next()? != key {
        return None;
    }
    let mut values = [0.0; N];
    for value in &mut values {
        *value = f64::from_bits(u64::from_str_radix(lines.next()?, 16).ok()?);
    }
    let end = lines.next()? == "end";
    (end && lines.next().is_none()).then_some(values)
}

/// Stores numbers under a key: written aside, then renamed, so that no reader sees a part of it.
/// A cache that cannot be written is no error.
pub(super) fn write(folder: &Path, key: &str, values: &[f64]) {
    let mut text = format!("{MAGIC}\n{key}\n");
    for value in values {
        text.push_str(&format!("{:016x}\n", value.to_bits()));
    }
    text.push_str("end\n");
    let aside = folder.join(format!("{key}.{}.part", std::process::id()));
    let stored = fs::create_dir_all(folder)
        .and_then(|()| fs::File::create(&aside))
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&aside, path_of(folder, key)));
    if stored.is_err() {
        // Nothing more can be done about a folder that cannot be written.
        let _ = fs::remove_file(&aside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let values = [0.1 + 0.2, f64::MIN_POSITIVE, -0.0];
        let key = content_key(&("a", 1.0));
        write(folder.path(), &key, &values);
        let back: [f64; 3] = read(folder.path(), &key).unwrap();
        assert!(back.iter().zip(&values).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert_ne!(content_key(&("a", 1.0 + f64::EPSILON)), key);
    }

    #[test]
    fn foreign_and_torn_files_are_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let key = content_key(&"x");
        assert_eq!(read::<1>(folder.path(), &key), None);
        write(folder.path(), &key, &[1.0]);
        let path = path_of(folder.path(), &key);
        let text = fs::read_to_string(&path).unwrap();
        for torn in [&text[..text.len() - 6], "", "something else", &text.replace(&key, "0")] {
            fs::write(&path, torn).unwrap();
            assert_eq!(read::<1>(folder.path(), &key), None);
        }
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(read::<1>(folder.path(), &key), None);
        fs::write(&path, text).unwrap();
        assert_eq!(read::<1>(folder.path(), &key), Some([1.0]));
    }
}
