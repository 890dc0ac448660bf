//! Whoever means harm: a validator that lies, a client that costs.

mod hostile_client;
mod lying_validator;
