//! What rule authors need around the sandbox: scaffolding, building, checking, measuring.
