//! Logs, and proofs in them: those that hold, and those that do not.

use serde_json::{Value, json};
use tabella_protocol::{Hash, merkle};

use super::hex;

pub(super) fn vectors() -> Value {
    let data: Vec<Vec<u8>> = (0u8..12).map(|n| vec![n; usize::from(n)]).collect();
    let leaves: Vec<Hash> = data.iter().map(|data| merkle::leaf_hash(data)).collect();
    let roots: Vec<Hash> = (0..=leaves.len())
        .map(|size| merkle::root(&leaves[..size]))
        .collect();
    json!({
        "data": data.iter().map(hex).collect::<Vec<_>>(),
        "leaves": leaves,
        "roots": roots,
        "inclusion": inclusion(&leaves, &roots),
        "consistency": consistency(&leaves, &roots),
    })
}

fn inclusion(leaves: &[Hash], roots: &[Hash]) -> Vec<Value> {
    let mut proofs = Vec::new();
    let places = [
        (0, 1),
        (0, 2),
        (1, 2),
        (2, 3),
        (3, 7),
        (6, 7),
        (4, 8),
        (11, 12),
        (5, 11),
    ];
    for (position, size) in places {
        let leaf = leaves[position];
        let root = roots[size];
        let (position, size) = (position as u64, size as u64);
        let Ok(path) = merkle::inclusion_proof(leaves, position, size);
        let mut longer = path.clone();
        longer.push(leaf);
        let shorter = path[..path.len().saturating_sub(1)].to_vec();
        let tries = [
            (position, size, path.clone()),
            (position + 1, size, path.clone()),
            (size, size, path.clone()),
            (position, size + 1, path),
            (position, size, longer),
            (position, size, shorter),
        ];
        for (position, size, path) in tries {
            let valid = merkle::verify_inclusion(&leaf, position, size, &path, &root);
            proofs.push(json!({
                "leaf": leaf, "position": position, "size": size, "path": path, "root": root, "valid": valid,
            }));
        }
    }
    proofs
}

fn consistency(leaves: &[Hash], roots: &[Hash]) -> Vec<Value> {
    let mut proofs = Vec::new();
    for (old, new) in [
        (1, 1),
        (1, 2),
        (2, 3),
        (3, 7),
        (4, 8),
        (6, 7),
        (7, 12),
        (8, 12),
        (12, 12),
    ] {
        let (old_root, new_root) = (roots[old], roots[new]);
        let (old, new) = (old as u64, new as u64);
        let Ok(path) = merkle::consistency_proof(leaves, old, new);
        let mut longer = path.clone();
        longer.push(old_root);
        let tries = [
            (old, new, path.clone(), old_root, new_root),
            (old, new, path.clone(), new_root, old_root),
            (0, new, path.clone(), old_root, new_root),
            (new + 1, new, path.clone(), old_root, new_root),
            (old, new + 1, path, old_root, new_root),
            (old, new, longer, old_root, new_root),
        ];
        for (old, new, path, old_root, new_root) in tries {
            let valid = merkle::verify_consistency(old, new, &path, &old_root, &new_root);
            proofs.push(json!({
                "old": old, "new": new, "path": path, "old_root": old_root, "new_root": new_root, "valid": valid,
            }));
        }
    }
    proofs
}
