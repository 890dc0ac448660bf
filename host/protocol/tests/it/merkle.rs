//! RFC 6962 trees: test vectors, and proofs of every leaf of every small tree.

use expect_test::expect;
use proptest::prelude::*;
use tabella_protocol::{
    Hash,
    merkle::{
        Frontier, consistency_proof, inclusion_proof, leaf_hash, root, verify_consistency,
        verify_inclusion,
    },
};

/// The leaves of the reference vectors of RFC 6962's first implementation.
fn reference_leaves() -> Vec<Hash> {
    let data = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    data.iter().map(|hex| leaf_hash(&hex_bytes(hex))).collect()
}

fn hex_bytes(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

/// RFC 6962 section 2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of(b""),
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            let (left, right) = leaves.split_at(k);
            Hash::of_parts([&[1u8][..], &naive_root(left).0, &naive_root(right).0])
        }
    }
}

#[test]
fn roots_of_the_reference_vectors() {
    let leaves = reference_leaves();
    let roots: Vec<String> = (0..=8).map(|n| root(&leaves[..n]).to_string()).collect();
    expect![[r#"
        0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        0x6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
        0xfac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125
        0xaeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77
        0xd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7
        0x4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4
        0x76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef
        0xddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c
        0x5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"#]]
    .assert_eq(&roots.join("\n"));
}

#[test]
fn every_leaf_of_every_small_tree_proves_itself_and_nothing_else() {
    let leaves: Vec<Hash> = (0..40u8).map(|n| leaf_hash(&[n])).collect();
    for size in 1..=leaves.len() {
        let tree = &leaves[..size];
        let tree_root = naive_root(tree);
        assert_eq!(root(tree), tree_root, "size {size}");
        for position in 0..size {
            let (p, n) = (position as u64, size as u64);
            let Ok(path) = inclusion_proof(tree, p, n);
            assert!(verify_inclusion(&tree[position], p, n, &path, &tree_root));
            assert!(!verify_inclusion(&leaf_hash(b"x"), p, n, &path, &tree_root));
            assert!(!verify_inclusion(
                &tree[position],
                p + 1,
                n,
                &path,
                &tree_root
            ));
            assert!(!verify_inclusion(
                &tree[position],
                p,
                n,
                &path,
                &leaf_hash(b"x")
            ));
        }
    }
}

#[test]
fn every_prefix_is_consistent_and_no_other_tree_is() {
    let leaves: Vec<Hash> = (0..40u8).map(|n| leaf_hash(&[n])).collect();
    for new in 1..=leaves.len() {
        for old in 1..=new {
            let (old_root, new_root) = (root(&leaves[..old]), root(&leaves[..new]));
            let (o, n) = (old as u64, new as u64);
            let Ok(path) = consistency_proof(leaves.as_slice(), o, n);
            assert!(
                verify_consistency(o, n, &path, &old_root, &new_root),
                "{old} of {new}"
            );
            if old < new {
                assert!(!verify_consistency(
                    o,
                    n,
                    &path,
                    &leaf_hash(b"x"),
                    &new_root
                ));
                assert!(!verify_consistency(
                    o,
                    n,
                    &path,
                    &old_root,
                    &leaf_hash(b"x")
                ));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_frontier_grows_to_the_same_root(count in 0usize..300) {
        let leaves: Vec<Hash> = (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let mut frontier = Frontier::default();
        for leaf in &leaves {
            frontier.push(*leaf);
        }
        prop_assert_eq!(frontier.size(), count as u64);
        prop_assert_eq!(frontier.root(), naive_root(&leaves));
    }

    #[test]
    fn garbage_proves_nothing(
        position in any::<u64>(), size in any::<u64>(), old in any::<u64>(),
        path in proptest::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let path: Vec<Hash> = path.into_iter().map(Hash).collect();
        let (leaf, other) = (leaf_hash(b"a"), leaf_hash(b"b"));
        prop_assert!(!verify_inclusion(&leaf, position, size, &path, &other));
        if old != size {
            prop_assert!(!verify_consistency(old, size, &path, &leaf, &other));
        }
    }
}
