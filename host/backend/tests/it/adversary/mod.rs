//! What strangers, voters, officers and validators must not be able to do: each test is an attack.

mod alone;
mod carrying;
mod choice;
mod earlier;
mod hostile_client;
mod identity;
mod liar_named;
mod lying_validator;
mod nearest;
mod registration;
mod rolls;
mod scene;
mod unproven;
