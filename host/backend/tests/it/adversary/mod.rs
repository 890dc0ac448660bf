//! What strangers, voters, officers and validators must not be able to do: each test is an attack.

mod hostile_client;
mod identity;
mod lying_validator;
