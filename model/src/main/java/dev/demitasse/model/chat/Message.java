package dev.demitasse.model.chat;

/**
 * One turn of a conversation.
 *
 * @param role who speaks: {@code system}, {@code user}, {@code assistant}
 * @param content what is said
 */
public record Message(String role, String content) {}
