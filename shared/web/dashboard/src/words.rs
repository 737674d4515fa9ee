//! What the foundation says by itself, in both languages.

use snowball_web::messages;

messages! {
    ENTER = "Sign in", "Se connecter";
    ENTER_LEAD = "A link signs you in. It holds for ten minutes and can be used once.",
        "Un lien vous connecte. Il est valable dix minutes et ne sert qu'une fois.";
    ENTER_HOW = "Whoever runs the program makes one with `{command}`.",
        "La personne qui exploite le programme en crée un avec `{command}`.";
    TICKET = "Ticket", "Ticket";
    TICKET_HINT = "What stands after # in the link. With scripts it fills itself in.",
        "Ce qui suit # dans le lien. Avec les scripts, il se remplit de lui-même.";
    ENTER_BUTTON = "Sign in", "Se connecter";
    TICKET_WRONG = "This link has ended, was used already, or was not copied whole. Have a new one made.",
        "Ce lien a expiré, a déjà servi ou n'a pas été copié en entier. Faites-en créer un nouveau.";
    SIGNED_OUT = "You are signed out.", "Vous êtes déconnecté.";
    NOT_DONE = "That is not possible", "Ce n'est pas possible";
    MISSING = "There is nothing at this address.", "Il n'y a rien à cette adresse.";
    METHOD = "This address does not answer to that.", "Cette adresse ne répond pas à cela.";
    FAILED = "Something failed. The program's log says what.", "Une erreur s'est produite. Le journal du programme dit laquelle.";
    READS_ONLY = "You are signed in to look, not to change anything.",
        "Vous êtes connecté pour consulter, pas pour modifier.";
    NO_FORM = "This is no form that the dashboard understands.", "Ce n'est pas un formulaire que le tableau de bord comprend.";
    STALE_FORM = "This form is of another session. Load the page again and send it anew.",
        "Ce formulaire vient d'une autre session. Rechargez la page et renvoyez-le.";
    BUSY = "Something else is being done just now, so this was not. Try again.",
        "Autre chose est en cours ; ceci n'a donc pas été fait. Réessayez.";
    REASON = "Give a reason, in at most 400 characters.", "Donnez un motif, en 400 caractères au plus.";
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_text_stands_in_both_languages() {
        for (name, message) in super::ALL {
            assert_eq!(message.fault(), None, "{name}");
        }
    }
}
