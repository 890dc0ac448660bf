//! What strangers, voters and officers must not be able to do: each test is an attack.

mod identity;
